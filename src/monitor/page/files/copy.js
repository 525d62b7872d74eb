/** Copies the text of `source` when `button` is clicked, and says so in the button. @param {HTMLElement} button @param {HTMLElement} source */
export function copyOnClick(button, source) {
  const label = button.textContent ?? ''
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  button.addEventListener('click', async () => {
    const isCopied = await copied(source)
    button.textContent = isCopied ? 'Copied' : 'Selected: press Ctrl+C'
    clearTimeout(timer)
    timer = setTimeout(() => {
      button.textContent = label
    }, 2000)
  })
}

/** Browsers allow the clipboard only over HTTPS and on localhost. Elsewhere the text is selected. @param {HTMLElement} source */
async function copied(source) {
  try {
    await navigator.clipboard.writeText(source.textContent ?? '')
    return true
  } catch {
    getSelection()?.selectAllChildren(source)
    return false
  }
}
