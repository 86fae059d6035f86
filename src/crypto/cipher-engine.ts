import { messageOf, SealError } from '../errors.ts'
import { faultOf } from './cipher-self-test.ts'
import type { FrameCipher } from './frame-cipher.ts'
import { NodeFrameCipher } from './node-cipher.ts'
import { OpensslFrameCipher } from './openssl-cipher.ts'
import { importKoffi, type KoffiLoader, loadOpenssl } from './openssl-library.ts'
import type { SegmentKeys } from './segment-keys.ts'

/** `openssl`: Node's own OpenSSL, called directly; `node`: through node:crypto. Same bytes. */
export type EngineName = 'openssl' | 'node'

/** Makes the ciphers of segments. */
export interface CipherEngine {
  readonly name: EngineName
  /** A cipher for one segment, to be disposed by the caller. Throws SEAL_MALFORMED for bad keys. */
  create(keys: SegmentKeys): FrameCipher
}

/** The engine that was taken, and why: one line for a log. */
export interface EngineChoice {
  readonly engine: CipherEngine
  readonly reason: string
}

/** The engine that always works. */
export const nodeEngine: CipherEngine = {
  name: 'node',
  create: (keys) => new NodeFrameCipher(keys),
}

/**
 * Takes the OpenSSL engine when it loads and passes its self-test in this thread, and otherwise
 * node:crypto. Every thread selects for itself. Throws SEAL_CIPHER_UNAVAILABLE when `openssl` is
 * asked for and does not work; `loadKoffi` gives the native module.
 */
export async function selectEngine(
  preference: 'auto' | EngineName,
  loadKoffi: KoffiLoader = importKoffi,
): Promise<EngineChoice> {
  if (preference === 'node') return { engine: nodeEngine, reason: 'asked for' }
  try {
    const engine = await testedOpenssl(loadKoffi)
    return { engine, reason: preference === 'auto' ? 'self-test passed' : 'asked for' }
  } catch (error) {
    const reason = `openssl is not used: ${messageOf(error)}`
    if (preference === 'auto') return { engine: nodeEngine, reason }
    throw new SealError(
      'SEAL_CIPHER_UNAVAILABLE',
      `${reason}; set cipher.engine to auto or node to do without it`,
    )
  }
}

/** Throws the reason why the engine cannot be used. */
async function testedOpenssl(loadKoffi: KoffiLoader): Promise<CipherEngine> {
  const library = await loadOpenssl(loadKoffi)
  const version = library.versionText(0)
  // The functions could come from another OpenSSL that some native module brought along.
  if (!version.startsWith(`OpenSSL ${process.versions.openssl} `)) {
    throw new Error(`found ${version}, and Node is built with ${process.versions.openssl}`)
  }
  const create = (keys: SegmentKeys) => new OpensslFrameCipher(library, keys)
  const fault = faultOf(create, nodeEngine.create)
  if (fault !== null) throw new Error(fault)
  return { name: 'openssl', create }
}
