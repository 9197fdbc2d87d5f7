# bash completion for rustscope
_rustscope() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} command=record word i
    local commands="record report bench compare export view doctor listen"

    # Behind -- stands a program with arguments of its own.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == -- ]]; then
            if ((i + 1 == COMP_CWORD)); then
                COMPREPLY=($(compgen -c -- "$cur") $(compgen -f -- "$cur"))
            elif declare -F _command_offset >/dev/null; then
                _command_offset $((i + 1))
            else
                COMPREPLY=($(compgen -f -- "$cur"))
            fi
            return
        fi
        if ((i == 1)) && [[ " $commands " == *" $word "* ]]; then
            command=$word
        fi
    done

    case $command:$prev in
    record:-o | listen:-o | record:--output | listen:--output | record:--suppress | listen:--suppress)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    record:--stack-event)
        COMPREPLY=($(compgen -W "cpu-clock cycles" -- "$cur"))
        return
        ;;
    bench:--sort)
        COMPREPLY=($(compgen -W "auto command mean-time" -- "$cur"))
        return
        ;;
    bench:--time-unit | bench:-u)
        COMPREPLY=($(compgen -W "microsecond millisecond second" -- "$cur"))
        return
        ;;
    bench:--export-json | bench:--export-csv | bench:--export-markdown | bench:--export-asciidoc | bench:--export-orgmode | bench:--input)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    bench:--shell | bench:-S)
        COMPREPLY=($(compgen -W "default none" -- "$cur") $(compgen -c -- "$cur"))
        return
        ;;
    compare:--fail-on)
        COMPREPLY=($(compgen -W "any minor moderate critical none" -- "$cur"))
        return
        ;;
    report:--metric | export:--metric | export:-m)
        COMPREPLY=($(compgen -W "cpu off-cpu alloc count peak leaked" -- "$cur"))
        return
        ;;
    export:--format | export:-f)
        COMPREPLY=($(compgen -W "folded speedscope pprof callgrind csv ndjson" -- "$cur"))
        return
        ;;
    export:--output | export:-o)
        COMPREPLY=($(compgen -f -- "$cur"))
        return
        ;;
    report:--sort)
        COMPREPLY=($(compgen -W "self total name" -- "$cur"))
        return
        ;;
    compare:--metric)
        COMPREPLY=($(compgen -W "wall cpu heap_peak anon_peak rss_peak fd_peak spikes allocations alloc_bytes leaked_bytes self_cpu
            total_cpu mean p95 p99 calls time busy scheduled started polls" -- "$cur"))
        return
        ;;
    record:--pid)
        COMPREPLY=($(compgen -W "$(command ps -eo pid= 2>/dev/null)" -- "$cur"))
        return
        ;;
    record:-d | listen:-d | record:-r | record:-F | record:--duration | listen:--duration | record:--rate | record:--stack-rate | record:--delay | \
        record:--stack-size | record:--spike-mem | record:--spike-cpu | record:--name | record:--tag | record:--label | \
        listen:--name | listen:--tag | listen:--label | report:--window | report:--top | report:--process | report:--thread | report:--callers | \
        report:--callees | export:--window | export:--thread | export:--process | export:--max-samples | view:--port | compare:--threshold | compare:--floor | \
        compare:--only | compare:--top | compare:--window)
        return
        ;;
    esac

    case $command in
    record)
        COMPREPLY=($(compgen -W "-- --output --duration --delay --rate --stack-rate --stack-size --stack-event --off-cpu --no-stacks
            --no-alloc --no-follow --keep --wait-all --no-tui --name --tag --label --redact --spike-mem --spike-cpu --suppress
            --debuginfod --pid --quiet --help --version" -- "$cur"))
        if ((COMP_CWORD == 1)); then
            COMPREPLY+=($(compgen -W "$commands" -- "$cur"))
        fi
        ;;
    report)
        COMPREPLY=($(compgen -W "--window --symbolize --debuginfod --html --top --sort --metric --only-my-code --process
            --thread --callers --callees --json --help" -- "$cur") $(compgen -f -- "$cur"))
        ;;
    bench)
        COMPREPLY=($(compgen -W "-- --vs --threshold --record --confirm --warmup --runs --min-runs --max-runs --min-benchmarking-time --until
            --timeout --setup --prepare --conclude --cleanup --parameter-scan --parameter-step-size
            --parameter-list --shell --ignore-failure --command-name --reference --reference-name --sequential
            --show-output --output --input --sort --time-unit --export-json --export-csv --export-markdown
            --export-asciidoc --export-orgmode --quiet --help" -- "$cur") $(compgen -c -- "$cur"))
        ;;
    compare)
        COMPREPLY=($(compgen -W "--base --new --threshold --floor --metric --only --fail-on --window --only-my-code --top --markdown
            --json --github --help" -- "$cur") $(compgen -f -- "$cur"))
        ;;
    export)
        COMPREPLY=($(compgen -W "--format --output --metric --window --thread --process --only-my-code --max-samples
            --help" -- "$cur") $(compgen -f -- "$cur"))
        ;;
    view)
        COMPREPLY=($(compgen -W "--port --no-open --help" -- "$cur") $(compgen -f -- "$cur"))
        ;;
    doctor)
        COMPREPLY=($(compgen -W "--help" -- "$cur"))
        ;;
    listen)
        COMPREPLY=($(compgen -W "--output --duration --suppress --name --tag --label --redact --debuginfod --quiet --help" \
            -- "$cur") $(compgen -f -- "$cur"))
        ;;
    esac
}
complete -o filenames -F _rustscope rustscope
