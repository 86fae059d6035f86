import { Argument, type Command } from 'commander'
import { COMPLETION_SHELLS, type CompletionShell, completionScript } from '../completion-script.ts'
import { withExamples } from '../options.ts'
import type { Terminal } from '../terminal.ts'

/** `sealstream completion`. */
export function registerCompletion(program: Command, terminal: Terminal): void {
  const shell = new Argument('[shell]', 'whose script it is')
    .choices(COMPLETION_SHELLS)
    .default('bash')
  const completion = program
    .command('completion')
    .description('Print a script that completes commands and options in a shell')
    .addArgument(shell)
    .action((name: CompletionShell) => terminal.out(completionScript(program, name)))
  withExamples(
    completion,
    'sealstream completion bash > ~/.local/share/bash-completion/completions/sealstream',
    'sealstream completion zsh > ~/.zsh/completions/_sealstream',
    'sealstream completion fish > ~/.config/fish/completions/sealstream.fish',
  )
}
