# Runs one server and outlives the process that started it, so that the server never does.
#
# usage: sh -c "$script" guardian REMOVE LOG GRACE COMMAND...
#   REMOVE  folder to delete at the very end; empty to keep it
#   LOG     file that gets the server's output
#   GRACE   seconds between TERM and KILL; 0 kills at once
#
# Standard input is a pipe whose only write end belongs to the parent, which never writes. The kernel closes it when the
# parent ends, however that happens (return, panic, Ctrl-C, KILL); the reads below then return and the end begins.
# Standard output gets one line: the server's process id.
remove=$1 log=$2 grace=$3
shift 3

exec 3<&0 </dev/null
"$@" 3<&- >>"$log" 2>&1 &
server=$!

# From here on only KILL ends this script. Set after the server has started, or it would inherit the deafness.
trap '' HUP INT TERM PIPE
echo "$server"
exec >/dev/null 2>&1

(
    read -r _ <&3
    tenths=$((grace * 10))
    [ "$tenths" -gt 0 ] && kill -TERM "$server"
    while [ "$tenths" -gt 0 ] && kill -0 "$server"; do
        sleep 0.1
        tenths=$((tenths - 1))
    done
    kill -KILL "$server"
) &
watcher=$!

wait "$server"
status=$?
# The id may be given to another process now, so the one who would signal it goes first.
kill -KILL "$watcher"
wait "$watcher"
echo "the server ended with status $status" >>"$log"

read -r _ <&3
if [ -n "$remove" ]; then
    rm -rf -- "$remove"
    # The last of several servers in a folder finds it empty.
    rmdir -- "${remove%/*}"
fi
exit 0
