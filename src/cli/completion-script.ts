import type { Command } from 'commander'

/** Shells that completions are made for. */
export const COMPLETION_SHELLS = ['bash', 'zsh', 'fish'] as const

/** One of {@link COMPLETION_SHELLS}. */
export type CompletionShell = (typeof COMPLETION_SHELLS)[number]

/** What may stand at a place of the command line, and what it is for. */
interface Word {
  readonly text: string
  readonly description: string
}

/** What may follow a path of commands. */
interface Place {
  /** ` keys list`; empty in front of all commands. */
  readonly path: string
  readonly commands: readonly Word[]
  readonly options: readonly Word[]
}

/** The completions of a program as a script for a shell. File names follow where no word fits. */
export function completionScript(program: Command, shell: CompletionShell): string {
  const places = placesBelow(program, '')
  return SCRIPTS[shell](program.name(), places)
}

const SCRIPTS: Readonly<
  Record<CompletionShell, (name: string, places: readonly Place[]) => string>
> = { bash: bashScript, zsh: zshScript, fish: fishScript }

function bashScript(name: string, places: readonly Place[]): string {
  const cases = places.map(({ path, commands, options }) => {
    const words = [...commands, ...options].map(({ text }) => text)
    return `    '${path}') words='${words.join(' ')}' ;;`
  })
  return `# Completions of ${name} for bash: source <(${name} completion bash)
_${name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} path= word words=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      ${pathsOf(places)}) path="$path $word" ;;
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

function zshScript(name: string, places: readonly Place[]): string {
  const cases = places.map(({ path, commands, options }) => {
    const words = [...commands, ...options].map(({ text, description }) =>
      quoted(`${text}:${description}`),
    )
    return `    '${path}') choices=(${words.join(' ')}) ;;`
  })
  return `#compdef ${name}
# Completions of ${name} for zsh: source <(${name} completion zsh), or a file _${name} in $fpath
_${name}() {
  local path_= word
  local -a choices
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$path_ $word" in
      ${pathsOf(places)}) path_="$path_ $word" ;;
    esac
  done
  case $path_ in
${cases.join('\n')}
  esac
  _describe '${name}' choices || _files
}
if [ "$funcstack[1]" = "_${name}" ]; then _${name} "$@"; else compdef _${name} ${name}; fi
`
}

function fishScript(name: string, places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, options }) => {
    const rule = `complete -c ${name} -n '__${name}_at${path}'`
    const about = (description: string) => `-d ${quoted(description)}`
    return [
      ...commands.map(({ text, description }) => `${rule} -a ${text} ${about(description)}`),
      ...options.map(
        ({ text, description }) => `${rule} -l ${text.replace(/^--/, '')} ${about(description)}`,
      ),
    ]
  })
  return `# Completions of ${name} for fish: ${name} completion fish | source
function __${name}_at
  set -l place
  for word in (commandline -opc)[2..-1]
    switch "$place $word"
      case ${pathsOf(places, ' ')}
        set place "$place $word"
    end
  end
  set -l wanted (string join '' ' '$argv)
  test "$place" = "$wanted"
end
${lines.join('\n')}
`
}

/** All paths as a pattern. Blanks at both ends of what is compared are part of it. */
function pathsOf(places: readonly Place[], between = '|'): string {
  const paths = places.map(({ path }) => path).filter((path) => path !== '')
  return paths.map((path) => `'${path}'`).join(between)
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", '’')}'`
}

function placesBelow(command: Command, path: string): Place[] {
  const commands = command.commands.map((child) => ({
    text: child.name(),
    description: child.description(),
  }))
  const options = command.options.flatMap(({ long, description }) =>
    long === undefined ? [] : [{ text: long, description }],
  )
  const help = { text: '--help', description: 'print this help' }
  const own = { path, commands, options: [...options, help] }
  const below = command.commands.flatMap((child) => placesBelow(child, `${path} ${child.name()}`))
  return [own, ...below]
}
