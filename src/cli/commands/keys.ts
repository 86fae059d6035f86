import type { Command } from 'commander'
import { withExamples } from '../options.ts'
import type { Terminal } from '../terminal.ts'
import { registerList } from './keys-list.ts'
import { registerLocalFile } from './keys-local-file.ts'
import { registerRetire } from './keys-retire.ts'
import { registerRotateNow } from './keys-rotate-now.ts'
import { registerShow } from './keys-show.ts'

/** `sealstream keys ...`. */
export function registerKeys(program: Command, terminal: Terminal): void {
  const keys = program
    .command('keys')
    .description('Look at data keys, retire those in use, make KEKs for tests')
    .helpCommand(false)
  withExamples(
    keys,
    'sealstream keys list',
    'sealstream keys rotate-now --reason "laptop of an operator lost"',
    'sealstream keys local-file local-kek.json',
  )
  registerList(keys, terminal)
  registerShow(keys, terminal)
  registerRetire(keys, terminal)
  registerRotateNow(keys, terminal)
  registerLocalFile(keys, terminal)
}
