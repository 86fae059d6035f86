import type { Command } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import type { Config } from '../../config/schema.ts'
import { SealError } from '../../errors.ts'
import type { Dependent } from '../../incident/dependent.ts'
import {
  type CertificateFindings,
  type CertificateRequest,
  findDependents,
} from '../../incident/kek-certificate.ts'
import { certificateOf } from '../../incident/kek-statement.ts'
import { signStatement } from '../../incident/statement.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import type { LeftKek } from '../../keys/left-kek.ts'
import {
  type CertificateReport,
  renderCertificate,
  renderCertificateJson,
  renderDependentJson,
} from '../certificate-text.ts'
import { openOutputFile, stdoutOutput } from '../data-output.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { guardKeys } from '../guard-keys.ts'
import { type ConfigOption, parseLimit, withConfigOption, withExamples } from '../options.ts'
import { packageVersion } from '../package-version.ts'
import { startProgress } from '../progress.ts'
import { stoppedCode, stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'
import { registerNewKey } from './certificate-new-key.ts'
import { registerVerifyCertificate } from './certificate-verify.ts'

interface CertificateOptions extends ConfigOption {
  readonly kek?: string
  readonly kekVersion?: string
  readonly out?: string
  readonly allowRetained?: true
  readonly dead?: readonly string[]
  readonly limit: number
  readonly json?: true
}

/** Names of each kind that are printed. */
const NAMES_MAX = 20

/** `sealstream certificate` and what is below it. */
export function registerCertificate(program: Command, terminal: Terminal): void {
  const certificate = program
    .command('certificate')
    .description('Certify that nothing depends on a KEK any more, or tell what does')
    .helpCommand(false)
    // Options behind the name of a command below belong to that.
    .enablePositionalOptions()
    .option('--kek <id>', 'the KEK: its ARN or bare id')
    .option('--kek-version <version>', 'only this version of it')
    .option('--out <file>', 'where the signed certificate is written')
    .option('--allow-retained', 'state older versions that the store keeps, with their dates')
    .option('--dead <instance...>', 'silent instances that have ended, as you know')
    .option('--limit <count>', 'names to print of each kind', parseLimit, NAMES_MAX)
    .option('--json', 'print JSON: a line for each thing that depends, then one that concludes')
    .action((options: CertificateOptions) => answer(options, terminal))
  registerNewKey(certificate, terminal)
  registerVerifyCertificate(certificate, terminal)
  withExamples(
    withConfigOption(certificate),
    'sealstream certificate new-key --out signing-key.pem',
    'sealstream certificate --kek 1234abcd-12ab-34cd-56ef-1234567890ab --out kek.cert.json',
    'sealstream certificate --kek orders --kek-version 3 --allow-retained --out orders-3.cert.json',
    'sealstream certificate verify kek.cert.json --public-key signing-key.pub',
  )
}

async function answer(options: CertificateOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const { kek, out } = askedOf(options)
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  await guardKeys(config, env)
  const { requiredSigner, withCertificateSources } = await import('../../compose/certificate.ts')
  const signer = await requiredSigner(config)
  const stop = stopSignal()
  const names = new Names(options)
  const progress = startProgress('versions of objects', true)
  try {
    const request: CertificateRequest = {
      ...{ kek, dead: new Set(options.dead), allowRetained: options.allowRetained ?? false },
      scope: { prefix: config.s3.prefix, signal: stop.signal, onScanned: () => progress.add(1) },
      onDependent: (found) => names.take(found),
    }
    const findings = await withCertificateSources(config, async (sources) => {
      return findDependents(sources, request)
    })
    progress.end()
    refuseUnknown(kek, findings)
    if (findings.isClean) {
      const statement = certificateOf(kek, findings, placeOf(config), signer)
      await writeWhole(out, signStatement(statement, signer))
    }
    const { fingerprint } = signer
    const report: CertificateReport = { kek, findings, out, fingerprint, names: names.list() }
    terminal.out(options.json ? renderCertificateJson(report) : renderCertificate(report))
    if (!findings.isClean) terminal.exitCode = EXIT_CODES.stillNeeded
  } catch (error) {
    if (!stop.signal.aborted) throw error
    terminal.err('sealstream: stopped; no certificate was written\n')
    terminal.exitCode = stoppedCode(stop.signal)
  } finally {
    progress.end()
    stop.release()
  }
}

function askedOf(options: CertificateOptions): { kek: LeftKek; out: string } {
  const kekId = options.kek?.trim() ?? ''
  if (kekId === '') throw new SealError('SEAL_INPUT_INVALID', 'name a KEK: --kek ID')
  if (options.out === undefined) {
    throw new SealError('SEAL_INPUT_INVALID', 'say where the certificate goes: --out FILE')
  }
  return { kek: { kekId, kekVersion: options.kekVersion ?? null }, out: options.out }
}

/** A name that was mistyped has no dependents either. */
function refuseUnknown({ kekId }: LeftKek, { isClean, totals, counts }: CertificateFindings): void {
  const seen = totals.deksOnRecord + totals.rewrapped + counts.retainedObjects
  if (!isClean || seen > 0) return
  const message = `nothing was ever wrapped under KEK "${kekId}" in this keyspace and bucket; see that the name is complete`
  throw new SealError('SEAL_KEY_UNKNOWN', message)
}

function placeOf({ s3, cassandra }: Config) {
  const { bucket, prefix, endpoint = null } = s3
  const place = { bucket, prefix, endpoint, keyspace: cassandra.keyspace }
  return { place, tool: { name: 'sealstream', version: packageVersion() }, by: actorOfOperator() }
}

async function writeWhole(path: string, text: string): Promise<void> {
  const output = await openOutputFile(path)
  await output.write(text)
  await output.close()
}

/** The first names of each kind; with JSON all of them, a line each. */
class Names {
  readonly #options: CertificateOptions
  readonly #kept: Dependent[] = []

  constructor(options: CertificateOptions) {
    this.#options = options
  }

  async take(found: Dependent): Promise<void> {
    if (this.#options.json) await stdoutOutput.write(renderDependentJson(found))
    else if (this.#countOf(found.kind) < this.#options.limit) this.#kept.push(found)
  }

  list(): readonly Dependent[] {
    return this.#kept
  }

  #countOf(kind: Dependent['kind']): number {
    return this.#kept.filter((one) => one.kind === kind).length
  }
}
