package ts

import "bytes"

// Stream types of sound in a program map table.
const (
	typeMPEG1Audio = 0x03
	typeMPEG2Audio = 0x04
	typePrivate    = 0x06 // Opus, as ffmpeg writes it
	typeLATM       = 0x11
	typeAC3        = 0x81
	typeEAC3       = 0x87
)

// Names of codecs that a Demuxer gives no frames of.
const (
	MP2  = "MP2"
	MP3  = "MP3"
	AC3  = "AC3"
	Opus = "opus"
)

// Codecs lists what a transport stream says it carries, in the order of its
// program map table: also sound that a Demuxer gives no frames of, and streams
// without a single packet. A stream that is no TS carries nothing.
func Codecs(data []byte) []string {
	d := NewDemuxer(bytes.NewReader(data))
	for len(d.pids) == 0 {
		pkt, err := d.packet()
		if err != nil {
			return nil
		}
		d.consume(pkt)
	}
	out := make([]string, 0, len(d.types))
	for i, t := range d.types {
		switch t {
		case typeMPEG1Audio, typeMPEG2Audio:
			out = append(out, mpegAudio(data, d.pids[i]))
		case typeAC3, typeEAC3:
			out = append(out, AC3)
		case typeLATM:
			out = append(out, AAC)
		case typePrivate:
			out = append(out, Opus)
		default:
			if codec, ok := codecOf[t]; ok {
				out = append(out, codec)
			}
		}
	}
	return out
}

// mpegAudio tells layer II from layer III by the first frame, whose header
// follows the PES header.
func mpegAudio(data []byte, pid uint16) string {
	const layer3 = 1
	d := NewDemuxer(bytes.NewReader(data))
	for {
		pkt, err := d.packet()
		if err != nil {
			return MP2
		}
		if uint16(pkt[1]&0x1f)<<8|uint16(pkt[2]) != pid || pkt[1]&0x40 == 0 {
			continue
		}
		payload := pkt[4:]
		if pkt[3]&0x20 != 0 {
			payload = payload[min(len(payload), 1+int(payload[0])):]
		}
		if len(payload) < 9 || len(payload) < 9+int(payload[8])+2 {
			continue
		}
		if head := payload[9+int(payload[8]):]; head[0] == 0xff && head[1]>>1&3 == layer3 {
			return MP3
		}
		return MP2
	}
}
