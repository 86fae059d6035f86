import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runTool } from '../../docker/stack/run-tool.ts'
import { StackError } from '../../docker/stack/stack-error.ts'
import { type CachedPart, cachedPart } from './cached-part.ts'

const MODULE = 'libsofthsm2.so'

/** Where packages of SoftHSM put the module. */
const PLACES = [
  `/usr/lib/softhsm/${MODULE}`,
  `/usr/lib/x86_64-linux-gnu/softhsm/${MODULE}`,
  `/usr/lib/aarch64-linux-gnu/softhsm/${MODULE}`,
  `/usr/lib64/softhsm/${MODULE}`,
  `/usr/lib64/pkcs11/${MODULE}`,
  `/usr/local/lib/softhsm/${MODULE}`,
  `/opt/homebrew/lib/softhsm/${MODULE}`,
]

const PART: CachedPart = {
  folder: 'softhsm-2.6',
  proof: MODULE,
  async build(into) {
    const inside = { cwd: into }
    await runTool('fetching SoftHSM', 'apt-get', ['download', 'libsofthsm2'], inside)
    const [archive = ''] = readdirSync(into).filter((name) => name.endsWith('.deb'))
    await runTool('unpacking SoftHSM', 'dpkg-deb', ['-x', archive, 'tree'], inside)
    const files = readdirSync(join(into, 'tree'), { recursive: true, withFileTypes: true })
    // The package has a link of that name as well.
    const found = files.find((entry) => entry.name === MODULE && entry.isFile())
    if (found === undefined)
      throw new StackError('STACK_INSTALL_FAILED', `no ${MODULE} in ${archive}`)
    renameSync(join(found.parentPath, MODULE), join(into, MODULE))
    rmSync(join(into, 'tree'), { recursive: true })
    rmSync(join(into, archive))
  },
}

/**
 * The PKCS#11 module of SoftHSM 2: that of this machine, or else the library of the Debian package,
 * unpacked beside the other parts. Throws STACK_INSTALL_FAILED with what to install.
 */
export async function softHsmModule(): Promise<string> {
  const installed = PLACES.find((path) => existsSync(path))
  if (installed !== undefined) return installed
  try {
    return join(await cachedPart(PART), MODULE)
  } catch (error) {
    if (!(error instanceof StackError) || error.code !== 'STACK_INSTALL_FAILED') throw error
    throw new StackError(error.code, error.message, [
      ...error.tail,
      'Debian, Ubuntu:  apt-get install -y softhsm2   (or apt-get update, where there are no lists)',
      'macOS:           brew install softhsm',
    ])
  }
}
