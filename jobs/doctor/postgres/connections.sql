-- Backends of clients only.
SELECT all_, weir FROM weir.client_connections();
