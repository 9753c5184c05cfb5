// Package footage makes media files of every kind that users send, and says what is true of each.
//
// Every frame carries its number as a row of black and white fields, and the sound beeps each half
// second at a pitch that tells which half second it is. So what comes out of a transcode can be
// judged by what is seen and heard, whatever became of timestamps on the way: [ReadNumber] and
// [Beeps] read them back.
//
// Both count content: frame n belongs to content time n / rate, and beep k to k / 2 seconds. Where a
// file shows content at another time (a hole, a hiccup, a late picture), its [Truth] says so.
package footage
