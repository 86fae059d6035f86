import { DEK_AGE_MS_MAX, DEK_MESSAGES_MAX } from '../limits.ts'
import {
  bytes,
  choice,
  count,
  durationMs,
  flag,
  list,
  optional,
  optionalSection,
  section,
  text,
  withDefault,
} from './leaves.ts'
import { refuseDomain, refuseDomainKek } from './rules.ts'
import { MINUTE_MS, SECOND_MS } from './shared-keys.ts'

/** What shares a DEK, for how long, and how long readers keep it. */

const GIB = 1024 ** 3
const HOUR_MS = 60 * MINUTE_MS

export const keyDomain = section('What shares DEKs.', {
  by: withDefault(
    choice(['topic', 'header'], {
      about: 'Messages of one topic share DEKs, or messages with one value of a header.',
    }),
    'topic',
  ),
  header: optional(
    text({ about: 'Name of the header whose value is the domain. Goes with by: header.' }),
    'none',
    'tenant',
  ),
  fallback: optional(
    text({
      about: 'Domain of messages that lack the header.',
      bounds: 'at most 80 bytes, no control characters',
      refuse: refuseDomain,
    }),
    'they are unsealable',
    'shared',
  ),
  keks: withDefault(
    list({
      about:
        'Domains with a KEK of their own; all others have kms.keyId. One that is refused ends the whole process. When you replace one, put the old KEK into kms.allowedKeyIds.',
      bounds: 'domain=key id each',
      lengthMin: 0,
      refuse: refuseDomainKek,
    }),
    [],
  ),
  allowSharedKeks: withDefault(
    flag({
      about:
        'Lets domains of keks share a KEK, or have kms.keyId: then whoever opens one opens the others.',
    }),
    false,
  ),
  openSegmentsMax: withDefault(
    count({
      about:
        'Most segments that one lane has open at a time; one more domain closes them. While as many wait to be published, 64 at least, no more are opened.',
      unit: 'segments',
      min: 1,
      max: 4096,
    }),
    1024,
  ),
})

export const window = section('How long one DEK is used; the limit reached first ends it.', {
  ageMs: withDefault(
    durationMs({ about: 'Longest use of one DEK.', min: 100, max: DEK_AGE_MS_MAX }),
    HOUR_MS,
  ),
  messagesMax: withDefault(
    count({
      about:
        'Most messages under one DEK, but see outageFactor. 1 gives every message a DEK of its own.',
      unit: 'messages',
      min: 1,
      max: DEK_MESSAGES_MAX,
    }),
    100_000_000,
  ),
  bytesMax: withDefault(
    bytes({ about: 'Most sealed bytes under one DEK.', min: 1, max: 1024 * GIB }),
    64 * GIB,
  ),
  outageFactor: withDefault(
    count({
      about:
        'While the KMS fails to give the next DEK (a try failed, or takes over 2 s), one may be used up to this many times the limits above. 1: not at all. messagesMax 1 is never stretched.',
      unit: 'times',
      min: 1,
      max: 24,
    }),
    4,
  ),
  reserve: withDefault(
    count({
      about: 'DEKs that each domain keeps ready beside the next one, for outages of the KMS.',
      unit: 'DEKs',
      min: 0,
      max: 1000,
    }),
    0,
  ),
})

/** The exposure budget. */
export const exposure = optionalSection(
  'What one leaked DEK may reveal at most. Narrows the window, outages included.',
  {
    messagesMax: optional(
      count({
        about: 'Most messages.',
        unit: 'messages',
        min: 1,
        max: DEK_MESSAGES_MAX,
      }),
      'what window allows',
      '1000000',
    ),
    bytesMax: optional(
      bytes({ about: 'Most bytes, sealed.', min: 1, max: 1024 * GIB }),
      'what window allows',
      '10GiB',
    ),
    ageMs: optional(
      durationMs({ about: 'Longest time span.', min: 100, max: DEK_AGE_MS_MAX }),
      'what window allows',
      '4h',
    ),
  },
)

export const reader = section('How messages are read.', {
  keyCacheEntriesMax: withDefault(
    count({ about: 'Unwrapped DEKs that are kept.', unit: 'DEKs', min: 1, max: 1_000_000 }),
    1_000,
  ),
  keyCacheTtlMs: withDefault(
    durationMs({
      about: 'How long an unwrapped DEK is kept, and so serves while the KMS is away.',
      min: SECOND_MS,
      max: 24 * HOUR_MS,
    }),
    5 * MINUTE_MS,
  ),
})
