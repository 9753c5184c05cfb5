package pooler

import (
	"os"
	"os/user"
	"strconv"
)

// handOver gives a file to the user that PgBouncer becomes.
func handOver(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(who.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(who.Gid)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}
