-- What failed by one code, in the order of lists: a page costs the same however much else failed.
CREATE INDEX transcodes_by_code ON weir.transcodes (error_code, created_at DESC, id DESC) WHERE error_code IS NOT NULL;
