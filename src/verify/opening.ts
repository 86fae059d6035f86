import { ERROR_CODES, type ErrorCode, isSealError } from '../errors.ts'
import type { Message, MessageHeader } from '../format/message.ts'
import type { Reference } from '../format/reference-value.ts'
import type { Check } from './check.ts'
import type { FindingKind } from './findings.ts'

/** Frames opened at a time: bounds memory, and fills ranged requests. */
const SLICE_BYTES_MAX = 8 * 1024 * 1024
const SLICE_REFERENCES_MAX = 2_000

/** Codes that speak against the key, not against the frame. */
const OF_THE_KEY: ReadonlySet<ErrorCode> = new Set([
  'SEAL_KEK_DISABLED',
  'SEAL_KEK_DESTROYED',
  'SEAL_KEK_NOT_ALLOWED',
  'SEAL_KMS_REFUSED',
])

interface Pair {
  readonly reference: Reference
  /** null when there is nothing to compare with. */
  readonly message: Message | null
}

/**
 * Opens references in slices and compares what comes out with the source. One slice is opened while
 * the next one fills. Messages are held until their slice is done.
 */
export class Opening {
  readonly #check: Check
  #pairs: Pair[] = []
  #bytes = 0
  #underWay: Promise<void> = Promise.resolve()

  constructor(check: Check) {
    this.#check = check
  }

  /** Takes a reference and its message; waits when there is enough of both. */
  async add(reference: Reference, message: Message | null): Promise<void> {
    if (this.#check.services.opener === null) return
    this.#pairs.push({ reference, message })
    this.#bytes += reference.length
    if (this.#bytes >= SLICE_BYTES_MAX || this.#pairs.length >= SLICE_REFERENCES_MAX) {
      await this.#flush()
    }
  }

  /** Opens what is left, and resolves when all of it is compared. Rejects as {@link Opener} does. */
  async finish(): Promise<void> {
    await this.#flush()
    await this.#underWay
  }

  async #flush(): Promise<void> {
    const pairs = this.#pairs
    this.#pairs = []
    this.#bytes = 0
    await this.#underWay
    this.#underWay = this.#open(pairs)
    // Whoever waits next is told; until then it must not count as unhandled.
    this.#underWay.catch(() => {})
  }

  async #open(pairs: readonly Pair[]): Promise<void> {
    const { opener } = this.#check.services
    if (opener === null || pairs.length === 0) return
    const outcomes = await opener.open(pairs.map(({ reference }) => reference))
    for (const [i, { reference, message }] of pairs.entries()) {
      const opened = outcomes[i]
      if (isSealError(opened)) this.#tellFailure(reference, opened.code)
      else this.#compare(reference, message, opened as Message)
    }
  }

  #compare(reference: Reference, message: Message | null, opened: Message): void {
    const { counts } = this.#check
    if (message === null) {
      counts.openedAlone++
      return
    }
    const differing = differenceOf(message, opened)
    if (differing.length === 0) counts.openedEqual++
    else this.#tell('altered', reference, `opens, but to another ${differing.join(', ')}`)
  }

  #tellFailure(reference: Reference, code: ErrorCode): void {
    // Destroyed on purpose: the mark in the frame, or in the place of the object, is genuine.
    if (code === 'SEAL_SHREDDED') this.#check.counts.shredded++
    else if (code === 'SEAL_OBJECT_MISSING') {
      this.#check.segments.at(reference.object).isToldMissing = true
      this.#tell('dangling', reference, 'the object is not there; its messages cannot be read')
    } else {
      const kind = OF_THE_KEY.has(code) ? 'unopenable' : 'altered'
      this.#tell(kind, reference, `does not open: ${ERROR_CODES[code]} [${code}]`)
    }
  }

  #tell(kind: FindingKind, reference: Reference, meaning: string): void {
    const { topic, partition, offset, object } = reference
    this.#check.findings.add({ kind, topic, partition, offset, object, meaning })
  }
}

/** The names of what differs; never the content. */
export function differenceOf(source: Message, opened: Message): string[] {
  const differing: string[] = []
  if (!isSame(source.key, opened.key)) differing.push('key')
  if (!isSame(source.value, opened.value)) differing.push('value')
  if (!areSameHeaders(source.headers, opened.headers)) differing.push('headers')
  if (source.timestampMs !== opened.timestampMs) differing.push('timestamp')
  if (source.timestampType !== opened.timestampType) differing.push('timestamp type')
  return differing
}

function areSameHeaders(a: readonly MessageHeader[], b: readonly MessageHeader[]): boolean {
  return (
    a.length === b.length &&
    a.every(([name, value], i) => {
      const other = b[i]
      return other !== undefined && isSame(name, other[0]) && isSame(value, other[1])
    })
  )
}

/** null and empty are two different things. */
function isSame(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b
  return Buffer.compare(a, b) === 0
}
