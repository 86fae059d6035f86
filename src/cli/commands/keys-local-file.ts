import type { Command } from 'commander'
import { withExamples } from '../options.ts'
import { printable } from '../printable.ts'
import { renderJson, renderWarning } from '../render.ts'
import type { Terminal } from '../terminal.ts'

interface LocalFileOptions {
  readonly name: string
  readonly rotate?: true
  readonly json?: true
}

/** `sealstream keys local-file`. */
export function registerLocalFile(keys: Command, terminal: Terminal): void {
  const localFile = keys
    .command('local-file')
    .description('Make or rotate a KEK in a file, for kms.provider local: laptops and tests only')
    .argument('<file>', 'key file, created with mode 0600 where there is none')
    .option('--name <name>', 'key in the file, made where there is none', 'sealstream')
    .option('--rotate', 'add a version, which wraps from now on; the older ones go on opening')
    .option('--json', 'print JSON')
    .action((file: string, options: LocalFileOptions) => makeKey(file, options, terminal))
  withExamples(
    localFile,
    'sealstream keys local-file local-kek.json',
    'sealstream keys local-file local-kek.json --name orders',
    'sealstream keys local-file local-kek.json --name orders --rotate --json',
  )
}

async function makeKey(file: string, options: LocalFileOptions, terminal: Terminal): Promise<void> {
  const { name, rotate = false, json = false } = options
  const { changeLocalKey } = await import('../../compose/local-key-file.ts')
  const { version, isNew } = await changeLocalKey(file, name, rotate)
  terminal.err(
    renderWarning(`for laptops and tests only: whoever has ${file} has every key, old ones too`),
  )
  const keyId = `local/${name}`
  if (json) terminal.out(renderJson({ file, keyId, version, isNew }))
  else
    terminal.out(
      `${keyId} ${isNew ? 'has a new' : 'is there already, with'} version ${version} in ${printable(file)}\n`,
    )
}
