DROP TABLE weir.turns;
DROP TABLE weir.placement;
