# Tells its id, and becomes the server of the command line.
echo "pid $$"
exec "$@"
