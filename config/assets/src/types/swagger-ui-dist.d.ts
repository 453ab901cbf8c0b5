// The package brings no types; this is what is used of it.
declare module "swagger-ui-dist/swagger-ui-bundle.js" {
  export default function SwaggerUIBundle(options: {
    domNode: Element;
    url: string;
    deepLinking?: boolean;
    displayRequestDuration?: boolean;
    docExpansion?: "list" | "full" | "none";
    filter?: boolean;
    persistAuthorization?: boolean;
    tryItOutEnabled?: boolean;
    validatorUrl?: string | null;
  }): unknown;
}
declare module "*.css";
