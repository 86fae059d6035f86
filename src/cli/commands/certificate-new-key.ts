import type { Command } from 'commander'
import { SealError } from '../../errors.ts'
import { withExamples } from '../options.ts'
import { printable } from '../printable.ts'
import { renderJson } from '../render.ts'
import type { Terminal } from '../terminal.ts'

interface NewKeyOptions {
  readonly out?: string
  readonly json?: true
}

/** `sealstream certificate new-key`. */
export function registerNewKey(certificate: Command, terminal: Terminal): void {
  const newKey = certificate
    .command('new-key')
    .description('Make an Ed25519 key that signs certificates and receipts; prints the public one')
    .option('--out <file>', 'file for the private key, which must not be there yet; mode 0600')
    .option('--json', 'print JSON')
    .action((options: NewKeyOptions) => makeKey(options, terminal))
  withExamples(
    newKey,
    'sealstream certificate new-key --out signing-key.pem > signing-key.pub',
    'sealstream certificate new-key --out signing-key.pem --json',
  )
}

async function makeKey({ out, json }: NewKeyOptions, terminal: Terminal): Promise<void> {
  if (out === undefined) throw new SealError('SEAL_INPUT_INVALID', 'say where it goes: --out FILE')
  const { statementFiles } = await import('../../compose/certificate.ts')
  const { publicPem: publicKey, fingerprint } = await statementFiles.createKey(out)
  if (json) {
    terminal.out(renderJson({ file: out, publicKey, fingerprint }))
    return
  }
  terminal.out(publicKey)
  terminal.err(
    `${fingerprint}\nsealstream: the private key is in ${printable(out)}; name it in certificate.signingKeyFile, and keep the fingerprint where nobody can change it\n`,
  )
}
