package main

import (
	"fmt"
	"strings"
	"time"
)

// clock notes where the time goes.
type clock struct {
	began time.Time
	parts []part
}

// worthTelling leaves out what would be told as 0.0 s.
const worthTelling = 50 * time.Millisecond

type part struct {
	name string
	took time.Duration
}

func newClock() *clock { return &clock{began: time.Now()} }

func (c *clock) note(name string, took time.Duration) { c.parts = append(c.parts, part{name, took}) }

// step notes how long do took.
func (c *clock) step(name string, do func() error) error {
	began := time.Now()
	err := do()
	c.note(name, time.Since(began))
	return err
}

// String is the parts that took any time, in order: "postgres 0.9 s, s3 0.2 s".
func (c *clock) String() string {
	var texts []string
	for _, p := range c.parts {
		if p.took >= worthTelling {
			texts = append(texts, fmt.Sprintf("%s %.1f s", p.name, p.took.Seconds()))
		}
	}
	return strings.Join(texts, ", ")
}
