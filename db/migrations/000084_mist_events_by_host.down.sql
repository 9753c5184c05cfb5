DROP INDEX weir.mist_events_by_host;
