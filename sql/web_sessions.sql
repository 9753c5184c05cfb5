-- name: WebSessionInsert :exec
INSERT INTO weir.web_sessions (id_hash, user_name, setting, expires_at)
VALUES (@id_hash, @user_name, @setting, now() + make_interval(secs => @idle_seconds::float8));

-- name: WebSessionGet :one
-- No row: it has ended. stale: its last use is worth writing down.
SELECT user_name, setting, seen_at < now() - make_interval(secs => @note_seconds::float8) AS stale FROM weir.web_sessions
 WHERE id_hash = @id_hash AND expires_at > now() AND created_at > now() - make_interval(secs => @longest_seconds::float8);

-- name: WebSessionSlide :exec
UPDATE weir.web_sessions SET seen_at = now(), expires_at = now() + make_interval(secs => @idle_seconds::float8)
 WHERE id_hash = @id_hash;

-- name: WebSessionEnd :exec
DELETE FROM weir.web_sessions WHERE id_hash = @id_hash;

-- name: WebSessionPrune :exec
-- Those that have ended, or whose user's setting is another now.
DELETE FROM weir.web_sessions
 WHERE expires_at <= now() OR created_at <= now() - make_interval(secs => @longest_seconds::float8)
    OR user_name = @user_name AND setting <> @setting;
