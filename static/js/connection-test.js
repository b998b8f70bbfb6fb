// @ts-check
const SATM_TEST_LOOK_MS = 500

/**
 * Run the connection test. Its steps are told as they end: a server that does not answer takes many
 * seconds, and the operator sees which step waits.
 *
 * @param {(soFar: TestResult) => void} tell
 * @returns {Promise<TestResult>}
 */
async function satmConnectionTest(tell) {
  let over = false
  const look = async () => {
    if (over) return
    try {
      const {running, steps} = await satmApi.get('test-connection')
      if (running && !over) tell({success: false, message: '', steps})
    } catch {
      // The test's own answer says what is wrong.
    }
    setTimeout(look, SATM_TEST_LOOK_MS)
  }
  setTimeout(look, SATM_TEST_LOOK_MS)
  try {
    return await satmApi.send('POST', 'test-connection')
  } catch (error) {
    const {detail, hint, code} = satmApi.problem(error)
    return {success: false, message: detail, hint, code, steps: []}
  } finally {
    over = true
  }
}
