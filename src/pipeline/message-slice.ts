import { isSealError, SealError } from '../errors.ts'
import type { Message } from '../format/message.ts'
import { parcelBytes as parcelBytesOf } from '../format/parcel.ts'
import type { DomainOf } from '../keys/key-domain.ts'
import { frameBytesOf } from '../segment/part-buffer.ts'

/**
 * What a message is charged for its reference, besides its frame: the value, and the objects that
 * hold it on its way through the Kafka client.
 */
export const REFERENCE_BYTES = 512

/** Messages are admitted to the in-flight budget in slices of about this size. */
const SLICE_BYTES = 512 * 1024

/** The next messages of a batch, measured. */
export interface MessageSlice {
  readonly messages: readonly Message[]
  /** Of each message, the bytes of its frame. */
  readonly frameBytes: readonly number[]
  /** Of each message, its key domain. */
  readonly domains: readonly string[]
  /** What all of them take of the in-flight budget. */
  readonly chargedBytes: number
  readonly parcelBytes: number
  /** The message behind these, and why it cannot be sealed; null when it can, or there is none. */
  readonly refused: { readonly message: Message; readonly error: SealError } | null
}

/**
 * Takes and measures messages, up to the slice size or the first that cannot be sealed. Null when
 * there are none left.
 */
export function nextSlice(
  from: Iterator<Message>,
  { messageBytesMax, domainOf }: { messageBytesMax: number; domainOf: DomainOf },
): MessageSlice | null {
  const messages: Message[] = []
  const frameBytes: number[] = []
  const domains: string[] = []
  let chargedBytes = 0
  let parcelBytes = 0
  let refused: MessageSlice['refused'] = null
  while (chargedBytes < SLICE_BYTES) {
    const { value: message, done } = from.next()
    if (done === true) break
    const bytes = measure(message, messageBytesMax)
    const domain = bytes instanceof SealError ? bytes : domainOf(message)
    if (bytes instanceof SealError || domain instanceof SealError) {
      refused = { message, error: domain as SealError }
      break
    }
    messages.push(message)
    domains.push(domain)
    frameBytes.push(frameBytesOf(bytes))
    parcelBytes += bytes
    chargedBytes += frameBytesOf(bytes) + REFERENCE_BYTES
  }
  if (messages.length === 0 && refused === null) return null
  return { messages, frameBytes, domains, chargedBytes, parcelBytes, refused }
}

function measure(message: Message, messageBytesMax: number): number | SealError {
  try {
    const bytes = parcelBytesOf(message)
    if (bytes <= messageBytesMax) return bytes
    return new SealError(
      'SEAL_MESSAGE_UNSEALABLE',
      `${bytes} bytes are more than message.bytesMax (${messageBytesMax})`,
    )
  } catch (error) {
    if (isSealError(error, 'SEAL_MESSAGE_UNSEALABLE')) return error
    throw error
  }
}
