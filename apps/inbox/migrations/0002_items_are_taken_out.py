from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('inbox', '0001_initial'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='attention',
            options={'default_permissions': ('view', 'change', 'export'), 'ordering': ['-id'], 'verbose_name': 'item of the inbox', 'verbose_name_plural': 'items of the inbox'},
        ),
    ]
