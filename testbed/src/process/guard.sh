# Reads from its owner: "+ GROUP" a process group to look after, "- GROUP" one that is gone, "d DIR" a folder to
# remove at the end. The pipe is closed by the owner's death, whatever caused it: then everything goes.
trap '' HUP INT TERM
groups=' '
while read -r verb what; do
    case $verb in
    +) groups="$groups$what " ;;
    -) groups="${groups%% $what *} ${groups#* $what }" ;;
    d) set -- "$@" "$what" ;;
    esac
done
for group in $groups; do
    kill -s KILL -- "-$group" 2>/dev/null
done
# A process needs a moment to die and may write a last file while it does.
for folder in "$@"; do
    rm -rf -- "$folder" 2>/dev/null || { sleep 1; rm -rf -- "$folder" 2>/dev/null; }
done
