import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A secret that was found where it must not be: which one, and in which file. */
export interface Leak {
  readonly secret: string
  readonly form: string
  readonly file: string
}

interface Needle {
  readonly secret: string
  readonly form: string
  readonly bytes: Buffer
}

/** Searches files for secrets: raw, in hex, and in base64 at each of its three alignments. */
export class LeakSearch {
  /** By their first two bytes, so that one walk finds them all. */
  readonly #needles = new Map<number, Needle[]>()
  readonly #starts = new Uint8Array(2 ** 16)

  /** Secrets by name; names, never values, show in findings. */
  constructor(secrets: Readonly<Record<string, Uint8Array>>) {
    for (const [secret, value] of Object.entries(secrets)) {
      for (const [form, bytes] of formsOf(Buffer.from(value))) {
        const start = bytes.readUInt16LE()
        this.#starts[start] = 1
        this.#needles.set(start, [...(this.#needles.get(start) ?? []), { secret, form, bytes }])
      }
    }
  }

  /** What is found in every file below these folders. */
  inFolders(...folders: readonly string[]): Leak[] {
    return folders.flatMap(filesBelow).flatMap((file) => this.inBytes(readIfThere(file), file))
  }

  /** What is found in `bytes`; `file` names them. */
  inBytes(bytes: Buffer, file: string): Leak[] {
    const found = new Set<Needle>()
    for (let at = 0; at < bytes.length - 1; at++) {
      const start = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
      if (this.#starts[start] === 0) continue
      for (const needle of this.#needles.get(start) ?? []) {
        const end = at + needle.bytes.length
        if (end <= bytes.length && needle.bytes.equals(bytes.subarray(at, end))) found.add(needle)
      }
    }
    return [...found].map(({ secret, form }) => ({ secret, form, file }))
  }
}

/** Every file below a folder, whatever its depth. */
export function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true }) as string[]
  const paths = entries.map((name) => join(folder, name))
  return paths.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false)
}

/** Services delete files while they are being listed. */
function readIfThere(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}

function formsOf(secret: Buffer): [form: string, bytes: Buffer][] {
  const hex = secret.toString('hex')
  const forms: [string, string][] = [
    ['hex', hex],
    ['upper hex', hex.toUpperCase()],
  ]
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), secret]).toString('base64')
    // Only characters that no byte before or behind the secret has a share in.
    const own = text.slice(
      Math.ceil((before * 8) / 6),
      Math.floor(((before + secret.length) * 8) / 6),
    )
    forms.push([`base64 behind ${before}`, own])
    const urlSafe = own.replaceAll('+', '-').replaceAll('/', '_')
    if (urlSafe !== own) forms.push([`base64url behind ${before}`, urlSafe])
  }
  return [
    ['raw', secret],
    ...forms.map(([form, text]) => [form, Buffer.from(text)] as [string, Buffer]),
  ]
}
