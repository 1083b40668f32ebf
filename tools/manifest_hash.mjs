// Prints the version of a manifest: `node tools/manifest_hash.mjs < manifest.json`; of a list of manifests, one on each line.
//
// The version is the SHA-256 of the manifest as canonical JSON (RFC 8785). This shares no code with moorage/manifest.py, so
// that the two check each other: whoever writes an agent or a console in another language can start from these lines.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

function canonical(value) {
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join(",")}]`;
  }
  if (value !== null && typeof value === "object") {
    // sort() compares UTF-16 code units, as section 3.2.3 of the RFC has it
    const keys = Object.keys(value).sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  return JSON.stringify(value); // ECMAScript's own form of text and numbers is the canonical one, sections 3.2.2.2 and 3.2.2.3
}

const given = JSON.parse(readFileSync(0, "utf8"));
for (const manifest of Array.isArray(given) ? given : [given]) {
  console.log(createHash("sha256").update(canonical(manifest), "utf8").digest("hex"));
}
