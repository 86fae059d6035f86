import { open, readFile } from 'node:fs/promises'
import { getSystemErrorMessage } from 'node:util'
import { newSigningKey, type Signer, signerOf } from '../../crypto/signing-key.ts'
import { messageOf, SealError } from '../../errors.ts'

/** Rights of group and others. */
const OTHERS = 0o077
const FILE_BYTES_MAX = 64 * 1024

/**
 * The signer whose private key is in a file. Throws SEAL_SIGNING_KEY_REFUSED when it is not there or
 * may not be read, when others may use it, or when it holds no Ed25519 key in PEM.
 */
export async function readSigner(path: string): Promise<Signer> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw refused(`the signing key ${path} cannot be read: ${reasonOf(error)}`)
  })
  try {
    const stats = await file.stat()
    if (!stats.isFile() || stats.size > FILE_BYTES_MAX) throw refused(`${path} is no key file`)
    if ((stats.mode & OTHERS) !== 0) {
      const mode = (stats.mode & 0o777).toString(8).padStart(4, '0')
      throw refused(`others may use the key in ${path} (mode ${mode}); run: chmod 600 ${path}`)
    }
    return signerOf(await file.readFile('utf8'))
  } finally {
    await file.close()
  }
}

/** A file of text that is not secret. Throws SEAL_INPUT_INVALID. */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new SealError('SEAL_INPUT_INVALID', `${path} cannot be read: ${reasonOf(error)}`)
  }
}

/**
 * Makes a signing key and writes it to a file that is not there yet, mode 0600, on disk when it
 * resolves. Throws SEAL_OUTPUT_FAILED; a file that is there stays as it is.
 */
export async function createSigningKeyFile(path: string): Promise<Signer> {
  const { privatePem } = newSigningKey()
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      await file.writeFile(privatePem)
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    throw new SealError('SEAL_OUTPUT_FAILED', `${path} cannot be written: ${reasonOf(error)}`)
  }
  return signerOf(privatePem)
}

function refused(message: string): SealError {
  return new SealError('SEAL_SIGNING_KEY_REFUSED', message)
}

function reasonOf(error: unknown): string {
  const { errno } = error as NodeJS.ErrnoException
  return errno === undefined ? messageOf(error) : getSystemErrorMessage(errno)
}
