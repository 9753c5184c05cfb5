DROP TABLE weir.admin_actions;
