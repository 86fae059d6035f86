import { NOTICES, type Notice } from '../response/notices.ts'
import {
  bytes,
  count,
  list,
  optional,
  optionalSection,
  required,
  section,
  text,
  withDefault,
} from './leaves.ts'
import { isLoopback, refuseKeyId, refuseTopic, TOPIC_NAME } from './rules.ts'

/** Whom incidents are told, who may approve, and how drills are made. */

const KIB = 1024
const MIB = 1024 * KIB

/** Marks a webhook that hears of drills too. */
const DRILLS = 'drills'

/** A webhook as its entry says it. */
export interface WebhookEntry {
  readonly url: string
  readonly notices: ReadonlySet<Notice>
  readonly isForDrills: boolean
}

/** Reads `notice+notice url` or a bare url. Only for entries that were checked. */
export function webhookOf(entry: string): WebhookEntry {
  const [url, names] = partsOf(entry)
  const chosen = NOTICES.filter((notice) => names.includes(notice))
  const notices = new Set(chosen.length > 0 ? chosen : NOTICES)
  return { url, notices, isForDrills: names.includes(DRILLS) }
}

function partsOf(entry: string): [url: string, names: readonly string[]] {
  const words = entry.trim().split(/\s+/)
  return [words.at(-1) ?? '', words.length > 1 ? (words[0] ?? '').split('+') : []]
}

function refuseWebhook(entry: string): string | undefined {
  const [url, names] = partsOf(entry)
  if (entry.trim().split(/\s+/).length > 2) return 'must be an address, with event names before it'
  const known: readonly string[] = [...NOTICES, DRILLS]
  if (names.some((name) => !known.includes(name))) {
    return `must name events out of ${known.join(', ')}, joined by +`
  }
  const parsed = URL.parse(url)
  if (parsed === null) return 'must hold an address'
  if (parsed.username !== '' || parsed.password !== '') return 'must not hold credentials'
  const isSafe =
    parsed.protocol === 'https:' || (parsed.protocol === 'http:' && isLoopback(parsed.hostname))
  return isSafe ? undefined : 'must be https, or http to this machine'
}

/** Name and public key of `name=base64`. */
export function approverOf(entry: string): [name: string, publicKey: string] {
  const at = entry.indexOf('=')
  return [entry.slice(0, at).trim(), entry.slice(at + 1).trim()]
}

function refuseApprover(entry: string): string | undefined {
  const [name, key] = approverOf(entry)
  // SPKI of an Ed25519 key: 44 bytes.
  return name !== '' && /^[A-Za-z0-9+/]{59}=$/.test(key)
    ? undefined
    : 'must be name=public key, Ed25519 as SPKI in base64'
}

/** The section `incident`. */
export const incident = section('Whom incidents are told, and who may approve.', {
  webhooks: withDefault(
    list({
      about:
        'Addresses that get a signed POST. Before one, with +, the events that it wants; drills adds those of drills.',
      bounds: 'https (http to this machine) each',
      lengthMin: 0,
      secret: true,
      refuse: refuseWebhook,
    }),
    [],
  ),
  webhookSecret: optional(
    text({ about: 'Signs them, HMAC-SHA256. Required beside webhooks.', secret: true }),
    'none',
    'long and random',
  ),
  approvers: withDefault(
    list({
      about:
        'Who may approve the retiring of a KEK, and their public keys: then approvals must be signed.',
      bounds: 'name=public key each',
      lengthMin: 0,
      refuse: refuseApprover,
    }),
    [],
  ),
})

/** The section `drill`. */
export const drill = optionalSection(
  'The canary topic of drills, and how often they are due. A drill touches nothing else.',
  {
    topic: required(
      text({
        about: 'The canary topic, one of kafka.topics; its key domain has its name.',
        pattern: TOPIC_NAME,
        refuse: refuseTopic,
      }),
      'sealstream-canary',
    ),
    keks: required(
      list({
        about:
          'KEKs of the canary alone: each drill moves it from the one in force to the next. One of them stands for its domain in keyDomain.keks, the others in kms.allowedKeyIds.',
        bounds: 'two at least',
        lengthMin: 1,
        refuse: refuseKeyId,
      }),
      '["canary-a", "canary-b"]',
    ),
    everyDays: withDefault(
      count({ about: 'A drill is overdue after this.', unit: 'days', min: 1, max: 366 }),
      7,
    ),
    messages: withDefault(
      count({ about: 'Canary messages of a drill.', unit: 'messages', min: 1, max: 100_000 }),
      500,
    ),
    messageBytes: withDefault(
      bytes({ about: 'Size of the value of each.', min: 16, max: MIB }),
      KIB,
    ),
  },
)
