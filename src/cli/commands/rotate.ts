import type { Command } from 'commander'
import { withExamples } from '../options.ts'
import type { Terminal } from '../terminal.ts'
import { registerRotateKek } from './rotate-kek.ts'
import { registerRotateStatus } from './rotate-status.ts'

/** `sealstream rotate ...`. */
export function registerRotate(program: Command, terminal: Terminal): void {
  const rotate = program
    .command('rotate')
    .description('Give new data another KEK, and see which KEK is in force')
    .helpCommand(false)
  withExamples(
    rotate,
    'sealstream rotate kek --to 1234abcd-12ab-34cd-56ef-1234567890ab --reason "yearly"',
    'sealstream rotate status',
  )
  registerRotateKek(rotate, terminal)
  registerRotateStatus(rotate, terminal)
}
