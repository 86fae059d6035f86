import { InvalidArgumentError } from 'commander'
import { SealError } from '../errors.ts'
import type { MessageCoordinates } from '../format/message.ts'
import type { ImpactScope, KeyScope } from '../incident/impact-scope.ts'
import type { ListFormat } from './list-lines.ts'
import type { ConfigOption } from './options.ts'
import { type ScopeNames, scopeNamed } from './scope-names.ts'

/** The options of `sealstream impact`, as commander gives them. */
export interface ImpactOptions extends ConfigOption, ScopeNames {
  readonly from?: number
  readonly to?: number
  readonly offset?: number
  readonly messageId?: string
  readonly list?: true
  readonly format?: ListFormat
  readonly copies?: true
  readonly prove?: true
  readonly json?: true
}

/** What one call asks about: all messages of a scope, or one message. */
export type ImpactQuestion =
  | { readonly scope: ImpactScope }
  | { readonly message: MessageCoordinates }
  | { readonly messageId: string }

const PARTITION_MAX = 2 ** 31 - 1

/** 2026-01-02, with a time or not, with a zone or not; also as sealstream itself prints times. */
const TIME =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?) ?(Z|UTC|[+-]\d{2}:\d{2})?)?$/

/** The question of these options. Throws SEAL_INPUT_INVALID where they make none. */
export function questionOf(options: ImpactOptions): ImpactQuestion {
  const { list, copies, format, messageId, offset } = options
  if (format !== undefined && list !== true) throw refused('--format goes with --list')
  if (messageId === undefined && offset === undefined) return { scope: scopeOf(options) }
  const one = messageId === undefined ? '--offset' : '--message-id'
  if (list || copies) throw refused(`${one} asks about one message; leave out --list and --copies`)
  const { dek, kek, kekVersion, domain, from, to, topic, partition } = options
  const wider = { dek, kek, kekVersion, domain, from, to }
  if (Object.values(wider).some((value) => value !== undefined)) {
    throw refused(`${one} asks about one message; leave out keys, domain and time range`)
  }
  if (messageId === undefined) {
    if (topic === undefined || partition === undefined || offset === undefined) {
      throw refused('--offset goes with --topic and --partition')
    }
    return { message: { topic, partition, offset } }
  }
  if (topic === undefined && partition === undefined && offset === undefined) return { messageId }
  throw refused('--message-id stands alone: it is looked for in all topics')
}

/** The key that is to be proven. Throws SEAL_INPUT_INVALID where anything else is asked about. */
export function provenKeyOf(options: ImpactOptions): KeyScope {
  const { dek, kek, kekVersion, domain, topic, partition, from, to, list, copies } = options
  const others = { domain, topic, partition, from, to, list, copies }
  const isOther = Object.values(others).some((value) => value !== undefined)
  if (isOther || (dek === undefined) === (kek === undefined)) {
    throw refused('--prove goes with --dek, or with --kek and --kek-version, and nothing else')
  }
  if (kek === undefined) return { dekId: dek as string }
  return { kekId: kek, ...(kekVersion === undefined ? {} : { kekVersion }) }
}

function scopeOf(options: ImpactOptions): ImpactScope {
  const { dek, kek, domain, topic, from, to } = options
  for (const [name, text] of Object.entries({ kek, domain, topic })) {
    if (text?.trim() === '') throw refused(`--${name} is empty`)
  }
  const named = scopeNamed(options)
  const keys = [dek, kek, domain, topic, from, to]
  if (keys.every((value) => value === undefined)) {
    throw refused('say what is asked about: --dek, --kek, --domain, --topic, or --from and --to')
  }
  if (dek !== undefined && kek !== undefined) throw refused('name one key: --dek or --kek')
  if (from !== undefined && to !== undefined && from >= to)
    throw refused('--to is not after --from')
  return {
    ...named,
    ...(from === undefined ? {} : { fromMs: from }),
    ...(to === undefined ? {} : { toMs: to }),
  }
}

/** A time as ISO 8601 or as milliseconds since 1970. Throws what commander expects. */
export function parseTime(text: string): number {
  const trimmed = text.trim()
  // Fewer digits are more likely a year or seconds than a moment before 1973.
  if (/^\d{12,15}$/.test(trimmed)) return Number(trimmed)
  const [, day, time = '00:00', zone = 'Z'] = TIME.exec(trimmed) ?? []
  const atMs = Date.parse(`${day}T${time}${zone === 'UTC' ? 'Z' : zone}`)
  if (day !== undefined && !Number.isNaN(atMs)) return atMs
  throw new InvalidArgumentError(
    'a time such as 2026-01-02, 2026-01-02T03:04:05Z, or milliseconds since 1970; UTC where no zone is given',
  )
}

/** The number of a partition. */
export function parsePartition(text: string): number {
  return parseWhole(text, PARTITION_MAX, 'a partition is a whole number from 0 on')
}

/** An offset. */
export function parseOffset(text: string): number {
  return parseWhole(text, Number.MAX_SAFE_INTEGER, 'an offset is a whole number from 0 on')
}

/** The format of a list. */
export function parseFormat(text: string): ListFormat {
  if (text === 'ndjson' || text === 'csv') return text
  throw new InvalidArgumentError('ndjson or csv')
}

function parseWhole(text: string, max: number, what: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value <= max) return value
  throw new InvalidArgumentError(what)
}

function refused(message: string): SealError {
  return new SealError('SEAL_INPUT_INVALID', message)
}
