/** Long enough for a browser to have taken the file. */
const KEPT_MS = 10_000;

/** Lets the reader keep `text` as a file. */
export function download(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  window.setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
}
