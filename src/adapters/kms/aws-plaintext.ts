import { Readable } from 'node:stream'

/** The part of an SDK command that is used here. */
interface Command {
  readonly middlewareStack: {
    add(
      middleware: (next: Handler) => Handler,
      options: { readonly step: 'deserialize'; readonly priority: 'low'; readonly name: string },
    ): void
  }
}

type Handler = (request: never) => Promise<{ readonly response: unknown }>

const NAME = Buffer.from('"Plaintext"')
const NULL = Buffer.from('null')
const BLANK = 0x20
const QUOTE = 0x22
const COLON = 0x3a
const BLANKS: readonly number[] = [BLANK, 0x09, 0x0a, 0x0d]
const BACKSLASH = 0x5c
const PADDING = 0x3d
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const SEXTETS = new Map([...ALPHABET].map((char, i) => [char.charCodeAt(0), i]))

/**
 * Takes the plaintext key out of the answer to `command` before the SDK sees it. The SDK would make
 * strings of it, which nothing can wipe; it is given null in its place. Returns where to fetch the
 * key once the command is answered: null when there is none, or it is no base64. The key is the
 * caller's, who wipes it.
 */
export function catchPlaintext(command: Command): () => Uint8Array | null {
  let caught: Uint8Array | null = null
  command.middlewareStack.add(
    (next) => async (request) => {
      const result = await next(request)
      const response = result.response as { body?: unknown }
      const body = await bytesOf(response.body)
      if (body === null) return result
      caught = takeKey(body)
      response.body = body
      return result
    },
    // The innermost: the answer comes by here first.
    { step: 'deserialize', priority: 'low', name: 'catchPlaintext' },
  )
  return () => caught
}

/** All of a stream in memory of its own, with nothing left in its chunks; null when it is none. */
async function bytesOf(stream: unknown): Promise<Buffer | null> {
  if (!(stream instanceof Readable)) return null
  const chunks: Buffer[] = []
  try {
    for await (const chunk of stream) chunks.push(chunk)
    return Buffer.concat(chunks)
  } finally {
    for (const chunk of chunks) chunk.fill(0)
  }
}

/** Decodes the key in a JSON text and puts null in its place there. */
function takeKey(json: Buffer): Uint8Array | null {
  const named = json.indexOf(NAME)
  if (named < 0) return null
  let at = named + NAME.length
  while (BLANKS.includes(json[at] as number) || json[at] === COLON) at++
  const end = json.indexOf(QUOTE, at + 1)
  if (json[at] !== QUOTE || end - at < NULL.length) return null
  const key = decodeBase64(json.subarray(at + 1, end))
  json.fill(BLANK, at, end + 1)
  json.set(NULL, at)
  return key
}

/** Decodes without making a string. The backslash that JSON allows before a slash is passed over. */
function decodeBase64(text: Uint8Array): Uint8Array | null {
  const bytes = new Uint8Array(new ArrayBuffer(Math.ceil((text.length * 3) / 4)))
  let length = 0
  let bits = 0
  let held = 0
  for (const code of text) {
    if (code === BACKSLASH) continue
    if (code === PADDING) break
    const sextet = SEXTETS.get(code)
    if (sextet === undefined) {
      bytes.fill(0)
      return null
    }
    held = (held << 6) | sextet
    bits += 6
    if (bits < 8) continue
    bits -= 8
    bytes[length++] = held >> bits
    held &= (1 << bits) - 1
  }
  return bytes.subarray(0, length)
}
