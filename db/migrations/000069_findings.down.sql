DROP VIEW weir.v_findings;
DROP TABLE weir.findings;
DROP TABLE weir.examined;
DROP TABLE weir.examinations;
