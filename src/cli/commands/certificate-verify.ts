import { type Command, InvalidArgumentError } from 'commander'
import { isFingerprint } from '../../crypto/signing-key.ts'
import { SealError } from '../../errors.ts'
import { type Statement, type TrustedKey, verifyStatement } from '../../incident/statement.ts'
import { withExamples } from '../options.ts'
import { printable } from '../printable.ts'
import { renderJson } from '../render.ts'
import type { Terminal } from '../terminal.ts'

interface VerifyOptions {
  readonly publicKey?: string
  readonly fingerprint?: string
  readonly json?: true
}

/** `sealstream certificate verify`: certificates and receipts alike. */
export function registerVerifyCertificate(certificate: Command, terminal: Terminal): void {
  const verify = certificate
    .command('verify')
    .description('See that a key signed a certificate or receipt; offline, without configuration')
    .argument('<file>', 'the certificate or receipt')
    .option('--public-key <file>', 'the public key that must have signed it, as PEM')
    .option('--fingerprint <sha256:hex>', 'or its fingerprint alone', parseFingerprint)
    .option('--json', 'print what was signed, as JSON')
    .action((file: string, options: VerifyOptions) => verifyFile(file, options, terminal))
  withExamples(
    verify,
    'sealstream certificate verify kek.cert.json --public-key signing-key.pub',
    'sealstream certificate verify shred.receipt.json --fingerprint sha256:0c9f… --json',
  )
}

async function verifyFile(file: string, options: VerifyOptions, terminal: Terminal): Promise<void> {
  const { statementFiles } = await import('../../compose/certificate.ts')
  const trusted = await trustedKey(options, statementFiles.read)
  const statement = verifyStatement(await statementFiles.read(file), trusted)
  terminal.out(options.json ? renderJson(statement) : describe(file, statement))
}

async function trustedKey(
  { publicKey, fingerprint }: VerifyOptions,
  read: (path: string) => Promise<string>,
): Promise<TrustedKey> {
  if (publicKey !== undefined && fingerprint === undefined) {
    return { publicPem: await read(publicKey) }
  }
  if (publicKey === undefined && fingerprint !== undefined) return { fingerprint }
  const message = 'say whom you trust: one --public-key FILE, or one --fingerprint'
  throw new SealError('SEAL_INPUT_INVALID', message)
}

function describe(file: string, { subject, predicateType, predicate }: Statement<unknown>): string {
  const { signedBy } = predicate
  const names = subject.map(({ name }) => printable(name)).join(', ')
  const what = [`${printable(file)}: genuine`, `about ${names}`, printable(predicateType)]
  return `${what.join('\n')}\nsigned by ${printable(signedBy?.fingerprint ?? '-')}\n`
}

function parseFingerprint(text: string): string {
  const fingerprint = text.trim().toLowerCase()
  if (isFingerprint(fingerprint)) return fingerprint
  throw new InvalidArgumentError('sha256: and 64 hex digits')
}
