# Leaves orphans to the first process of the namespace, waits until they are gone,
# tells how many zombies there are, and becomes the command line.
for _ in 1 2 3 4 5 6 7 8 9 10; do
	(sleep 0.05 & sleep 0.1 &)
done
while [ "$(cat /proc/[0-9]*/comm 2>/dev/null | grep -c '^sleep$')" != 0 ]; do sleep 0.02; done
# The sleep of this loop itself is waited for by this shell.
echo "zombies $(cat /proc/[0-9]*/stat 2>/dev/null | grep -c ') Z ')"
echo "first $(tr '\0' ' ' </proc/1/cmdline)"
exec "$@"
