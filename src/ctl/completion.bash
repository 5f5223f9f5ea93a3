# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion for liveupdatectl; verbs and options come from its own --help.
_liveupdatectl() {
        local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb="" word
        local help
        help=$(liveupdatectl --help 2>/dev/null) || return
        COMPREPLY=()

        # "--kernel=FILE" arrives as three words.
        [[ $prev == = ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
        [[ $cur == = ]] && cur=""
        case $prev in
        --kernel | --initrd)
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                return
                ;;
        --json)
                mapfile -t COMPREPLY < <(compgen -W 'pretty short off' -- "$cur")
                return
                ;;
        esac
        if [[ $cur == -* ]]; then
                mapfile -t COMPREPLY < <(compgen -W "$(grep -o -e '--[a-z][a-z-]*' <<<"$help")" -- "$cur")
                return
        fi
        for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                [[ $word == -* ]] || verb=$word
        done
        case $verb in
        '')
                mapfile -t COMPREPLY < <(compgen -W "$(sed -n '/^Verbs:/,/^$/s/^  \([a-z]*\).*/\1/p' <<<"$help")" -- "$cur")
                ;;
        load)
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                ;;
        job | timeline)
                mapfile -t COMPREPLY < <(compgen -W "$(liveupdatectl jobs --no-legend --no-pager 2>/dev/null |
                        awk '{ print $1 }')" -- "$cur")
                ;;
        esac
}
complete -F _liveupdatectl liveupdatectl
