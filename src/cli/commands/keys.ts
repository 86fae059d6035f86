import type { Command } from 'commander'
import { withExamples } from '../options.ts'
import type { Terminal } from '../terminal.ts'
import { registerLocalFile } from './keys-local-file.ts'

/** `sealstream keys ...`. */
export function registerKeys(program: Command, terminal: Terminal): void {
  const keys = program.command('keys').description('Make keys').helpCommand(false)
  withExamples(keys, 'sealstream keys local-file local-kek.json')
  registerLocalFile(keys, terminal)
}
