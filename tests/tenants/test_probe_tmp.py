from tenants.models import *
from tenants.scope import tenant_scope
def test_x(cast):
    from projects.models import Image, ImageClass, Project
    with tenant_scope(cast.alice.tenant.id):
        for q in [Member.objects.exclude(apikey__name="x"), Member.objects.exclude(apikey__member__role="x"), Member.objects.filter(apikey__name="x"), ApiKey.objects.select_related("member__user").filter(member__role="x"),
          Project.objects.exclude(images__shown_classes__defect_class__name="a"), Image.objects.filter(shown_classes__defect_class__project__name="x").exclude(shown_classes__defect_class__project__images__filename="b"), Member.objects.filter(apikey=None), Project.objects.filter(images__job=None)]:
            print(str(q.query)[-900:]); 
            try: list(q)
            except Exception as e: print("!!!", type(e), e); raise
            print()
