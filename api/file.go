package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"weir/jobs"
	"weir/secret"
	"weir/storage"
)

// FileSubmission is the body of POST /api/transcode/file, the old form. What it
// names ignored is taken and not read, as it ever was.
type FileSubmission struct {
	SourceLocation  SecretURL     `json:"source_location" doc:"The video, an S3 form; renditions go to its folder." example:"s3://media/in/1.mp4"`
	CallbackURL     SecretURL     `json:"callback_url" doc:"Where status and outcome are posted." example:"https://studio.example/hooks/4711"`
	Profiles        []FileProfile `json:"profiles" nullable:"false" doc:"The renditions, 1 to 10."`
	AccessToken     secret.Secret `json:"accessToken,omitempty" doc:"For Livepeer's API; without it the daemon's own way is taken."`
	TranscodeAPIURL SecretURL     `json:"transcodeAPIUrl,omitempty" doc:"Livepeer's API; read with accessToken only."`

	ManifestID       Ignored `json:"manifestID,omitzero" required:"true" doc:"Must be there; ignored."`
	VerificationFreq Ignored `json:"verificationFreq,omitzero" required:"true" doc:"Must be there; ignored."`

	StreamID             Ignored `json:"streamID,omitzero" doc:"Ignored."`
	SessionID            Ignored `json:"sessionID,omitzero" doc:"Ignored."`
	StreamKey            Ignored `json:"streamKey,omitzero" doc:"Ignored."`
	Presets              Ignored `json:"presets,omitzero" doc:"Ignored."`
	ObjectStore          Ignored `json:"objectStore,omitzero" doc:"Ignored."`
	RecordObjectStore    Ignored `json:"recordObjectStore,omitzero" doc:"Ignored."`
	RecordObjectStoreURL Ignored `json:"recordObjectStoreUrl,omitzero" doc:"Ignored."`
	PreviousSessions     Ignored `json:"previousSessions,omitzero" doc:"Ignored."`
	Detection            Ignored `json:"detection,omitzero" doc:"Ignored."`
}

// TransformSchema implements huma.SchemaTransformer.
func (FileSubmission) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	upTo(s.Properties["source_location"], maxURL)
	upTo(s.Properties["callback_url"], maxURL)
	s.Properties["profiles"].MinItems, s.Properties["profiles"].MaxItems = new(1), new(maxProfiles)
	s.Properties["accessToken"].MaxLength = new(maxAccessToken)
	matching(s.Properties["accessToken"], printablePattern, printablePatternDescription)
	s.Properties["transcodeAPIUrl"].MaxLength = new(maxURL)
	return s
}

// FileProfile is a Profile of the old form, in Studio's spelling.
type FileProfile struct {
	ProfileFields

	FPSDen       int    `json:"fpsDen,omitempty" doc:"The seconds that fps counts its frames in, as 1001 of 30000; 0 stands for 1."`
	Encoder      string `json:"encoder,omitempty" doc:"H.264, in any case; there is no other."`
	ColorDepth   int    `json:"colorDepth,omitempty" doc:"8, or 0 for it; there is no other."`
	ChromaFormat int    `json:"chromaFormat,omitempty" doc:"0, which is 4:2:0; there is no other."`
}

// TransformSchema implements huma.SchemaTransformer.
func (FileProfile) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	limitProfile(s, "fpsDen", "encoder", "colorDepth", "chromaFormat")
	s.Required = append(s.Required, "width", "height")
	return s
}

type fileOutput struct{ Body FileAnswer }

// FileAnswer is the answer to the old form.
type FileAnswer struct {
	RequestID uuid.UUID `json:"request_id" format:"uuid" doc:"The transcode's id; request_id of its callbacks."`
}

// submitFile commits a request of the old form.
func (s *server) submitFile(ctx context.Context, body jsonBody[FileSubmission], in *submitInput) (*fileOutput, error) {
	tenant, err := submitter(ctx)
	if err != nil {
		return nil, err
	}
	submission, canonical, err := body.read(in.http)
	if err != nil {
		return nil, s.unread(err)
	}
	const source = "body.source_location"
	wanted, errs := s.places(&fields{
		source: source, sourceURL: submission.SourceLocation,
		output: source, outputURL: folder(submission.SourceLocation),
		callback: "body.callback_url", callbackURL: submission.CallbackURL,
	})
	for i := range submission.Profiles {
		p := &submission.Profiles[i]
		wanted.Profiles = append(wanted.Profiles, p.wanted(p.FPSDen))
	}
	errs = append(errs, checkRates(wanted.Profiles)...)
	errs = append(errs, checkNames(wanted.Profiles, wanted.sourceName())...)
	if submission.AccessToken != "" {
		errs = append(errs, checkWeb(submission.TranscodeAPIURL, "body.transcodeAPIUrl")...)
		wanted.Livepeer = &jobs.Livepeer{AccessToken: string(submission.AccessToken), APIURL: string(submission.TranscodeAPIURL)}
	}
	wanted.Tenant, wanted.Form, wanted.Body = tenant, jobs.FormFile, canonical
	if err := s.found(ctx, wanted, once(errs)); err != nil {
		return nil, err
	}
	accepted, _, err := s.accept(ctx, &wanted.Request, &submission)
	if err != nil {
		return nil, s.problem(ctx, "submit", err)
	}
	return &fileOutput{Body: FileAnswer{RequestID: accepted.ID}}, nil
}

// folder is the location above a file's. What can't be parsed, and what has no
// folder in S3, is returned as it is, for places to refuse.
func folder(file SecretURL) SecretURL {
	location, err := storage.ParseLocation(string(file))
	if err != nil || !location.IsS3() || location.Key() == "" {
		return file
	}
	return SecretURL(location.Folder().Secret())
}

// once leaves out what is said of a field twice: source and output share one here.
func once(errs []error) (rest []error) {
	said := map[string]bool{}
	for _, err := range errs {
		detail, ok := err.(*huma.ErrorDetail) //nolint:errorlint // made by refusal, never wrapped
		if ok && said[detail.Location] {
			continue
		}
		if ok {
			said[detail.Location] = true
		}
		rest = append(rest, err)
	}
	return rest
}
