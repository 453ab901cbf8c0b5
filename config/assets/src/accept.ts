// The invitation's link carries its token behind the #, which browsers send to nobody: it is moved into the form.
const field = document.querySelector<HTMLInputElement>("input[name=token]");
if (field && location.hash.length > 1) {
  field.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname);
}
export {};
