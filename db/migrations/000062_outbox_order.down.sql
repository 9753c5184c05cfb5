DROP INDEX weir.event_deliveries_waiting;
