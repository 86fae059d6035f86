import type { Command } from 'commander'
import { withExamples } from '../options.ts'
import type { Terminal } from '../terminal.ts'

/** `sealstream completion`. */
export function registerCompletion(program: Command, terminal: Terminal): void {
  const completion = program
    .command('completion')
    .description('Print a script that completes commands and options in bash')
    .action(() => terminal.out(completionScript(program)))
  withExamples(
    completion,
    'sealstream completion > ~/.local/share/bash-completion/completions/sealstream',
  )
}

/** What may follow a path of commands: commands below it, and its options. */
interface Words {
  readonly path: string
  readonly words: readonly string[]
}

/** The completions of a program as a script for bash. File names follow where no word fits. */
export function completionScript(program: Command): string {
  const name = program.name()
  const places = wordsBelow(program, '')
  const paths = places.map(({ path }) => `'${path}'`).filter((path) => path !== "''")
  const cases = places.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`)
  return `# Completions of ${name} for bash: source <(${name} completion)
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} path= word words=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      ${paths.join('|')}) path="$path $word" ;;
    esac
  done
  case $path in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _${name} ${name}
`
}

function wordsBelow(command: Command, path: string): Words[] {
  const below = command.commands.map((child) => child.name())
  const options = command.options.flatMap(({ long }) => (long === undefined ? [] : [long]))
  const own = { path, words: [...below, ...options, '--help'] }
  return [own, ...command.commands.flatMap((child) => wordsBelow(child, `${path} ${child.name()}`))]
}
