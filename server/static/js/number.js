// Numbers as people read them. The same rules as the server's src/web/format.rs.

const formats = new Map();

function fixed(number, decimals) {
  if (!formats.has(decimals)) {
    formats.set(decimals, new Intl.NumberFormat("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  }
  return formats.get(decimals).format(number);
}

/** A whole number with its thousands apart. */
export const thousands = (number) => fixed(number, 0);

/** A reading's value with the digits that matter. */
export function reading(value) {
  const magnitude = Math.abs(value);
  let decimals = 2;
  if (magnitude >= 100000 || Number.isInteger(value)) decimals = 0;
  else if (magnitude >= 100) decimals = 1;
  else if (magnitude > 0 && magnitude < 1) decimals = Math.min(9, Math.max(2, 2 - Math.floor(Math.log10(magnitude))));
  return fixed(value, decimals).replace(/^-(?=[0.]*$)/, "");
}
