SELECT daemon, code, subject, verdict, evidence, mend, took_ms, found_at, since FROM weir.findings ORDER BY daemon, code, subject
