import { importKoffi, type KoffiLoader } from '../../crypto/openssl-library.ts'
import { messageOf } from '../../errors.ts'

/** From sys/resource.h and sys/prctl.h of Linux. */
const RLIMIT_CORE = 4
const PR_SET_DUMPABLE = 4

/**
 * Switches core dumps of this process off for good, and makes it undumpable: no core dump whatever
 * handles them, no debugger of the same user, /proc/PID/mem for root alone. Holds for all threads,
 * and not for processes that it starts. Returns null, or in words why it could not be done: it is
 * Linux's alone and takes koffi. Never throws.
 */
export async function forbidCoreDumps(
  platform: NodeJS.Platform = process.platform,
  loadKoffi: KoffiLoader = importKoffi,
): Promise<string | null> {
  if (platform !== 'linux') return `${platform} is not Linux`
  try {
    const libc = (await loadKoffi()).load(null)
    const setrlimit = libc.func('int setrlimit(int resource, const uint64_t *limits)')
    const prctl = libc.func('int prctl(int option, ulong a, ulong b, ulong c, ulong d)')
    if (setrlimit(RLIMIT_CORE, new BigUint64Array(2)) !== 0) return 'setrlimit failed'
    // A core_pattern that starts a program does not ask for the limit, but for this.
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) === 0 ? null : 'prctl failed'
  } catch (error) {
    return messageOf(error)
  }
}
