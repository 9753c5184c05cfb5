DROP VIEW weir.v_admin_actions;
DROP VIEW weir.v_slo;
DROP FUNCTION weir.slo_of_hour;
DROP VIEW weir.v_failures;
DROP VIEW weir.v_hosts;
DROP VIEW weir.v_queue;
