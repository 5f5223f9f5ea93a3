# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion for liveupdatectl; verbs and options come from its own --help.

# What `liveupdatectl VERB` lists, by its first column.
_liveupdatectl_list() {
        liveupdatectl "$1" --no-legend --no-pager 2>/dev/null | awk '{ print $1 }'
}

# _liveupdatectl_reply CUR VERB PREV HELP: all candidates for the word CUR
_liveupdatectl_reply() {
        case $3 in
        --kernel | --initrd)
                compgen -f -- "$1"
                return
                ;;
        --json)
                compgen -W 'pretty short off' -- "$1"
                return
                ;;
        --restore-initrd)
                compgen -W 'yes no auto' -- "$1"
                return
                ;;
        --jump)
                compgen -W 'direct systemd' -- "$1"
                return
                ;;
        --device | --except)
                compgen -W "$(_liveupdatectl_list devices)" -- "$1"
                return
                ;;
        esac
        if [[ $1 == -* ]]; then
                compgen -W "$(grep -o -e '--[a-z][a-z-]*' <<<"$4")" -- "$1"
                return
        fi
        case $2 in
        '') compgen -W "$(sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\).*/\1/p' <<<"$4")" -- "$1" ;;
        load) compgen -f -- "$1" ;;
        job | timeline) compgen -W "$(_liveupdatectl_list jobs)" -- "$1" ;;
        device) compgen -W "hold release $(_liveupdatectl_list devices)" -- "$1" ;;
        devices | explain) compgen -W "$(_liveupdatectl_list devices)" -- "$1" ;;
        esac
}

_liveupdatectl() {
        local help words=() word n cur prev="" verb=""
        help=$(liveupdatectl --help 2>/dev/null) || return

        # "0000:01:02.3" arrives as five words: put together again.
        for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
                n=${#words[@]}
                if ((n)) && [[ $word == : || ${words[n - 1]} == *: ]]; then
                        words[n - 1]+=$word
                else
                        words+=("$word")
                fi
        done
        n=${#words[@]}
        cur=${words[n - 1]}
        ((n < 2)) || prev=${words[n - 2]}
        # "--kernel=FILE" arrives as three words.
        [[ $prev == = ]] && prev=${words[n - 3]}
        [[ $cur == = ]] && cur=""
        for word in "${words[@]:0:n-1}"; do
                if [[ $word != -* ]] && grep -q -e "^  $word " <<<"$help"; then
                        verb=$word
                        break
                fi
        done
        mapfile -t COMPREPLY < <(_liveupdatectl_reply "$cur" "$verb" "$prev" "$help")
        # Bash replaces only what comes after the last colon.
        COMPREPLY=("${COMPREPLY[@]#"${cur%"${cur##*:}"}"}")
}
complete -F _liveupdatectl liveupdatectl
