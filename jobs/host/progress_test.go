package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
)

// What all attempts of a host noted is told at once, and once, each by its newest.
func TestProgressGoesTogether(t *testing.T) {
	t.Parallel()
	var p progress
	one, other := engine.Name{Transcode: uuid.New(), Attempt: 1}, engine.Name{Transcode: uuid.New(), Attempt: 2}
	now := time.Now()
	p.note(one, 0.1, noted{jobs.StageFetch, 5, 100, jobs.UnitBytes}, 0, now)
	p.note(one, 0.2, noted{jobs.StageTranscode, 2000, 20_000, jobs.UnitMS}, 20*time.Second, now)
	p.note(other, 0.3, noted{jobs.StageTranscode, 3000, 20_000, jobs.UnitMS}, 20*time.Second, now)
	p.push(one, "a", 1000, now)
	p.push(one, "a", 2000, now)
	told, some, err := p.take(now)
	require.NoError(t, err)
	require.True(t, some)
	require.ElementsMatch(t, []uuid.UUID{one.Transcode, other.Transcode}, told.Transcodes)
	require.ElementsMatch(t, []int32{1, 2}, told.Attempts)
	require.ElementsMatch(t, []float64{0.2, 0.3}, told.Ratios)
	require.Equal(t, []uuid.UUID{one.Transcode}, told.Of)
	require.Equal(t, []string{"a"}, told.Names)
	require.Equal(t, []int64{2000}, told.Pushed)

	// What has not changed is not told again.
	p.note(one, 0.2, noted{jobs.StageTranscode, 2000, 20_000, jobs.UnitMS}, 20*time.Second, now.Add(time.Second))
	_, some, err = p.take(now.Add(time.Second))
	require.NoError(t, err)
	require.False(t, some)
}

// What is told of an attempt on its way: what it does, how fast, and when it will be done,
// with what its host's last transcodes took behind each stage.
func TestProgressTellsTheEnd(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	name := engine.Name{Transcode: uuid.New(), Attempt: 3}
	past := dbsqlc.AttemptPaceRow{ByteFetched: 0.001, SecondPrepared: 0.6, SecondPushed: 0.1}
	media := 40 * time.Second
	steady := func(stage jobs.Stage, each, of int64, unit string) *course {
		p := &progress{past: past}
		for second := range 11 {
			p.note(name, 0, noted{stage, int64(second) * each, of, unit}, media, at.Add(time.Duration(second)*time.Second))
		}
		return p.attempts[name]
	}
	now := at.Add(10 * time.Second)
	for _, c := range []struct {
		stage      jobs.Stage
		each, of   int64
		unit       string
		speed, eta float64
	}{
		{jobs.StageFetch, 1000, 20_000, jobs.UnitBytes, 0, 10 + 20},
		{jobs.StagePrepare, 2000, 40_000, jobs.UnitMS, 2, 10 + 24},
		{jobs.StageTranscode, 2000, 40_000, jobs.UnitMS, 2, 10 + 4},
		{jobs.StageStore, 1000, 20_000, jobs.UnitBytes, 0, 10},
		{jobs.StageStore, 0, 0, jobs.UnitBytes, 0, 0}, // judged: overdue since 6 s
	} {
		told := steady(c.stage, c.each, c.of, c.unit).tell(name, &past, now)
		require.Equal(t, c.stage, told.Stage)
		require.EqualValues(t, 3, told.Attempt)
		require.Equal(t, 10*c.each, told.Done)
		if c.speed > 0 {
			require.InDelta(t, c.speed, *told.Speed, 0.001)
		} else {
			require.Nil(t, told.Speed, c.stage)
		}
		require.InDelta(t, c.eta, told.EndsAt.Sub(now).Seconds(), 0.01, c.stage)
	}
	// A host that has done none yet knows only what it does now.
	require.Nil(t, steady(jobs.StageFetch, 1000, 20_000, jobs.UnitBytes).tell(name, &dbsqlc.AttemptPaceRow{}, now).EndsAt)
	require.NotNil(t, steady(jobs.StageTranscode, 2000, 40_000, jobs.UnitMS).tell(name, &dbsqlc.AttemptPaceRow{}, now).EndsAt)
}

// Files that are sent at once are told together, and one that is through before the others
// are transcoded is no stage of its own.
func TestProgressOfFilesThatAreSent(t *testing.T) {
	t.Parallel()
	var p progress
	name, now, whole := engine.Name{Transcode: uuid.New(), Attempt: 1}, time.Now(), int64(20_000)
	all := &sending{
		transcode: &dbsqlc.Transcode{SourceDurationMs: &whole}, sizes: map[string]int64{"a": 600, "b": 200, "c": 200},
		renditions: []dbsqlc.Rendition{{Name: "a", State: jobs.RenditionPushed}, {Name: "b", State: jobs.RenditionOK}, {Name: "c", State: jobs.RenditionPushed}},
	}
	p.note(name, 0.9, noted{jobs.StageTranscode, 19_000, 20_000, jobs.UnitMS}, time.Minute, now)
	p.send(name, all, "a", 300, now)
	p.send(name, all, "c", 100, now)
	require.Equal(t, noted{jobs.StageStore, 600, 1000, jobs.UnitBytes}, p.attempts[name].now)
	require.InDelta(t, 0.9+0.1*(0.5+1+0.5)/3, p.attempts[name].ratio, 1e-9)

	p.note(name, 0.9, noted{jobs.StageTranscode, 19_500, 20_000, jobs.UnitMS}, time.Minute, now)
	require.Equal(t, jobs.StageStore, p.attempts[name].now.stage, "a late look does not go back")

	early := engine.Name{Transcode: uuid.New(), Attempt: 1}
	p.note(early, 0.5, noted{jobs.StageTranscode, 10_000, 20_000, jobs.UnitMS}, time.Minute, now)
	all.renditions[2].State = jobs.RenditionPushing
	p.send(early, all, "a", 300, now)
	require.Equal(t, jobs.StageTranscode, p.attempts[early].now.stage)
}

// Recorded runs of a minute of 720p, noted as their supervisors and stores did: the end that
// is told every five seconds from a third of the way on is right to a tenth of the whole. In
// the other run others took the machine away at a third; it is so from the half on.
func TestProgressOfRecordedRuns(t *testing.T) {
	t.Parallel()
	const most = 0.1
	for name, from := range map[string]float64{"steady": 1.0 / 3, "slowing": 1.0 / 2} {
		text, err := os.ReadFile(filepath.Join("testdata", "runs", name+".txt"))
		require.NoError(t, err)
		type line struct {
			at float64
			is noted
		}
		var lines []line
		for each := range strings.Lines(string(text)) {
			var l line
			_, err := fmt.Sscan(each, &l.at, &l.is.stage, &l.is.done, &l.is.of)
			require.NoError(t, err)
			l.is.unit = map[bool]string{true: jobs.UnitBytes, false: jobs.UnitMS}[l.is.stage == jobs.StageFetch || l.is.stage == jobs.StageStore]
			lines = append(lines, l)
		}
		p, of, whole := &progress{past: dbsqlc.AttemptPaceRow{SecondPushed: 0.05}}, engine.Name{Transcode: uuid.New(), Attempt: 1}, lines[len(lines)-1].at
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		tells, next := 0, from*whole
		for _, l := range lines {
			now := begin.Add(time.Duration(l.at * float64(time.Second)))
			p.note(of, 0, l.is, time.Minute, now)
			if l.at < next {
				continue
			}
			next += tellEvery.Seconds()
			told := p.attempts[of].tell(of, &p.past, now)
			require.NotNil(t, told.EndsAt, "%s at %.0f s", name, l.at)
			require.InDelta(t, whole, told.EndsAt.Sub(begin).Seconds(), most*whole, "%s at %.0f of %.0f s", name, l.at, whole)
			tells++
		}
		require.Greater(t, tells, 5, name)
	}
}
