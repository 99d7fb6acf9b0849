# bash completion of hopcount and hopcountd                                  -*- shell-script -*-

_hopcount_options() {
    case $1 in
    keygen) echo "--add" ;;
    apikey) echo "--name --scope --add" ;;
    mint) echo "-c --batch --brand --object --client --campaign --ttl --channel --variant --arg
        --issued --silent --once" ;;
    inspect | check) echo "-c" ;;
    stats) echo "--url --key-file --brand --campaign --kind --from --to --interval --group-by --tz
        --json" ;;
    *) echo "--help --version" ;;
    esac
}

_hopcount_values() {
    case $1 in
    --ttl) echo "never 15m 1h 6h 1d 2d 3d 7d 14d 30d 45d 60d 90d 120d 180d 366d" ;;
    --channel) echo "unknown mail sms pdf qr portal chat other" ;;
    --variant) echo "A B C D E F G" ;;
    --scope) echo "stats:read links:write events:write" ;;
    --interval) echo "hour day month" ;;
    --group-by) echo "time kind campaign label country device variant channel" ;;
    esac
}

_hopcount() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words
    COMPREPLY=()
    if [[ $previous == @(-c|--add|--key-file) ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
    fi
    words=$(_hopcount_values "$previous")
    if [[ -z $words ]]; then
        if ((COMP_CWORD == 1)); then
            words="keygen apikey mint inspect stats check ledger erase --help --version"
        else
            words=$(_hopcount_options "${COMP_WORDS[1]}")
            [[ ${COMP_WORDS[1]} != mint ]] || words="$words view pay login"
        fi
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

_hopcountd() {
    local current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    if [[ ${COMP_WORDS[COMP_CWORD - 1]} == -c ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "-c --check --help-config --help --version" -- "$current")
    fi
}

complete -o filenames -F _hopcount hopcount
complete -o filenames -F _hopcountd hopcountd
