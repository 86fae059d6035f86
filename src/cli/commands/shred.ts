import { type Command, InvalidArgumentError } from 'commander'
import { configFileOf, loadConfig } from '../../config/load-config.ts'
import type { Config } from '../../config/schema.ts'
import { isSealError, SealError } from '../../errors.ts'
import { armFailpoint } from '../../failpoints.ts'
import type { ShredKeys } from '../../incident/shred-plan.ts'
import { receiptOf, renderReceipt, type ShredReport } from '../../incident/shred-receipt.ts'
import { actorOfOperator } from '../../keys/instance.ts'
import type { MessageRange } from '../../reencryption/shred-messages.ts'
import { parseReason } from '../await-rotation.ts'
import { openOutputFile } from '../data-output.ts'
import { EXIT_CODES } from '../exit-codes.ts'
import { guardKeys } from '../guard-keys.ts'
import { parseOffset, parsePartition } from '../impact-options.ts'
import { type ConfigOption, parseDekId, withConfigOption, withExamples } from '../options.ts'
import { packageVersion } from '../package-version.ts'
import { renderWarning } from '../render.ts'
import { type ShredContext, shredKeys } from '../shred-keys.ts'
import { shredRange } from '../shred-range.ts'
import { renderShredJson, renderShredReport } from '../shred-text.ts'
import { stoppedCode, stopSignal } from '../stop-signal.ts'
import type { Terminal } from '../terminal.ts'

type Offsets = Pick<MessageRange, 'firstOffset' | 'lastOffset'>

interface ShredOptions extends ConfigOption {
  readonly dek?: string
  readonly domain?: string
  readonly topic?: string
  readonly partition?: number
  readonly offsets?: Offsets
  readonly reason?: string
  readonly dead?: readonly string[]
  readonly yes?: true
  readonly out?: string
  readonly json?: true
}

/** `sealstream shred`. */
export function registerShred(program: Command, terminal: Terminal): void {
  const shred = program
    .command('shred')
    .description('Destroy data keys or messages for good; do it with --yes')
    .option('--dek <id>', 'this data key and everything under it', parseDekId)
    .option('--domain <name>', 'all data keys of this key domain')
    .option('--topic <name>', 'messages of this source topic')
    .option('--partition <number>', 'of this partition', parsePartition)
    .option('--offsets <A-B>', 'with these offsets, both included; or one offset', parseOffsets)
    .option('--reason <text>', 'why; it stands in key events and receipt', parseReason)
    .option('--dead <instance...>', 'silent instances that have ended, as you know')
    .option('--yes', 'do it; without this it is told what would be destroyed')
    .option('--out <file>', 'where the receipt is written')
    .option('--json', 'print JSON')
    .action((options: ShredOptions) => answer(options, terminal))
  withExamples(
    withConfigOption(shred),
    'sealstream shred --dek 2f6c1e9a-57c4-4d0e-9d3b-7a1f6f0c9b11',
    'sealstream shred --domain tenant-7 --reason "contract ended" --yes --out tenant-7.receipt.json',
    'sealstream shred --topic orders --partition 3 --offsets 40-42 --reason "GDPR 4711" --yes --out 4711.receipt.json',
  )
}

async function answer(options: ShredOptions, terminal: Terminal): Promise<void> {
  const { env } = terminal
  const asked = askedOf(options)
  if (options.yes && (options.out === undefined || options.reason === undefined)) {
    const message = 'what is destroyed needs a --reason, and a receipt: --out FILE'
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
  const { config } = loadConfig({ file: configFileOf(options.config, env), env })
  await guardKeys(config, env)
  const armed = armFailpoint(env)
  if (armed !== null) terminal.err(`sealstream: ${armed}\n`)
  const { signerOfConfig } = await import('../../compose/certificate.ts')
  const signer = await signerOfConfig(config)
  const stop = stopSignal()
  try {
    const context: ShredContext = {
      ...{ config, terminal, signal: stop.signal, isDone: options.yes ?? false },
      ...{ actor: actorOfOperator(), reason: options.reason ?? '', dead: new Set(options.dead) },
    }
    const report = await ('topic' in asked ? shredRange(context, asked) : shredKeys(context, asked))
    if (report === null) return
    const { out } = options
    if (options.yes && out !== undefined) {
      const receipt = receiptOf(report, originOf(config, context.actor), signer)
      await writeFile(out, renderReceipt(receipt, signer))
      if (signer === null) {
        terminal.err(
          renderWarning('the receipt is unsigned: certificate.signingKeyFile names no key'),
        )
      }
    }
    conclude(report, options, terminal)
  } catch (error) {
    if (!stop.signal.aborted || !isSealError(error, 'SEAL_STOPPED')) throw error
    terminal.err('sealstream: stopped; the same command goes on\n')
    terminal.exitCode = stoppedCode(stop.signal)
  } finally {
    stop.release()
  }
}

function conclude(report: ShredReport, options: ShredOptions, terminal: Terminal): void {
  const isDone = options.yes ?? false
  const { out = null } = options
  terminal.out(
    options.json ? renderShredJson(report, isDone) : renderShredReport(report, isDone, out),
  )
  // A person must know that it is not all gone.
  if (isDone && report.remaining.length + report.unpublished.length > 0) {
    terminal.exitCode = EXIT_CODES.failed
  }
}

function askedOf(options: ShredOptions): ShredKeys | MessageRange {
  const { dek, domain, topic, partition, offsets } = options
  const isRange = topic !== undefined || partition !== undefined || offsets !== undefined
  const named = [dek !== undefined, domain !== undefined, isRange].filter(Boolean)
  if (named.length !== 1) {
    const message = 'name one of --dek, --domain, and --topic with --partition and --offsets'
    throw new SealError('SEAL_INPUT_INVALID', message)
  }
  if (dek !== undefined) return { dekId: dek }
  if (domain !== undefined) {
    if (domain !== '') return { keyDomain: domain }
    throw new SealError('SEAL_INPUT_INVALID', '--domain is empty')
  }
  if (topic === undefined || partition === undefined || offsets === undefined) {
    throw new SealError('SEAL_INPUT_INVALID', 'messages need --topic, --partition and --offsets')
  }
  return { topic, partition, ...offsets }
}

function parseOffsets(text: string): Offsets {
  const [first = '', last = first, ...rest] = text.split('-')
  const [firstOffset, lastOffset] = [parseOffset(first.trim()), parseOffset(last.trim())]
  if (rest.length === 0 && firstOffset <= lastOffset) return { firstOffset, lastOffset }
  throw new InvalidArgumentError('A-B with A not above B, or one offset')
}

function originOf({ s3, cassandra }: Config, by: string) {
  const { bucket, prefix, endpoint = null } = s3
  const place = { bucket, prefix, endpoint, keyspace: cassandra.keyspace }
  return { place, tool: { name: 'sealstream', version: packageVersion() }, by }
}

async function writeFile(path: string, text: string): Promise<void> {
  const output = await openOutputFile(path)
  await output.write(text)
  await output.close()
}
